"""Targets for what lies in a home, where a copy or another program may have changed it, and for what is typed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.analysis.query import answer_query
from engine.collect import collect, rebuild
from engine.home.control_files import OutcomeFile, read_beat, read_details, read_handle, read_outcome
from engine.home.files import encode_json
from engine.home.paths import Home, JobFolder
from engine.home.seals import seal
from engine.launch.process import seconds_since_start
from engine.schedule.lookup import find_match
from engine.schedule.worker.rebuild import rebuild_queue
from tests.fuzz.target import Target
from tests.helpers.queueing import Probe, submit_probes
from tests.helpers.synthetic import ARMS, SyntheticHome

Feed = Callable[[bytes], object]


PROBES = (Probe("pack-1", kind="pack"), Probe("train-1", ("pack-1",)), Probe("train-2", ("pack-1",)))


def small_home(folder: Path) -> Home:
    """Return a home with one experiment that is done (one arm, one seed), and one that is queued."""
    made = SyntheticHome(folder / "home")
    made.experiment("finished", {"original": ARMS["original"]}, seeds=(0,), splits=("60/20/20",))
    submit_probes(made.home, "queued", PROBES)
    return made.home


def _trained(home: Home) -> JobFolder:
    return next(folder for folder in home.jobs() if folder.job.startswith("train") and folder.result.exists())


def _in_home(place: Callable[[Home], Path], read: Callable[[Home], object]) -> Callable[[Path], Feed]:
    """Return how a target opens that puts its bytes at `place` of a home, and has the home read."""

    def open_home(folder: Path) -> Feed:
        home = small_home(folder)
        path = place(home)

        def feed(content: bytes) -> None:
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            read(home)

        return feed

    return open_home


def _first(place: Callable[[Home], Path]) -> Callable[[], list[bytes]]:
    """Return what stands there in a home where all is well."""

    def seeds() -> list[bytes]:
        with tempfile.TemporaryDirectory(prefix="xp-fuzz-") as folder:
            return [place(small_home(Path(folder))).read_bytes()]

    return seeds


def _journal(home: Home) -> Path:
    return _trained(home).attempt(1).journal


def _result(home: Home) -> Path:
    return _trained(home).result


def _job_spec(home: Home) -> Path:
    return _trained(home).spec


def _record(home: Home) -> Path:
    return home.records("queued")[-1]


def _orders(home: Home) -> Path:
    return home.job("train-2").control


ORDERS = b'{"order": "cancel", "at": 1760000001.5}\n{"order": "retry", "at": 1760000002.0}\n'


def _open_control(folder: Path) -> Feed:
    """What is said of an attempt beside its results, the same bytes as each of the files."""
    job = JobFolder(folder / "pack-1")
    attempt = job.attempt(1)
    attempt.root.mkdir(parents=True)

    def feed(content: bytes) -> None:
        for path in (attempt.handle, attempt.heartbeat, attempt.outcome, job.details):
            path.write_bytes(content)
        told = (read_handle(attempt), read_beat(attempt), read_outcome(attempt))
        seconds_since_start(told[0])
        # What was taken can be written down: it is text and numbers.
        encode_json([one and one.model_dump() for one in told]).encode()
        read_details(job)

    return feed


CONTROL = [
    b'{"pid": 7, "start_time": 9, "host": "h", "boot_id": "b", "slot": "cpu:0", "exit": 1, "oom_kills": 0}',
    b'{"phase": "train", "step": 3, "steps": 9, "epoch": 1, "epochs": 2, "rate": 5.5, "loss": 0.1}',
    encode_json(
        seal(OutcomeFile(outcome="lost", state="queued", spent={"lost": 1}, ended_at=9.5).model_dump())
    ).encode(),
]


def _open_sql(folder: Path) -> Feed:
    home = small_home(folder)
    collect(home)
    return lambda content: answer_query(home, content.decode("utf-8", "surrogateescape"), "table", seconds=2.0)


SQL = [
    b"select arm, mean from cells where metric = 'test_top1'",
    b"with a as (select * from runs) select count(*) from a join run_jobs using (run) group by all having true",
    b"select [1, 2], {'a': 1}, map {1: 2}, interval 1 day, 'x'::varchar, list_transform([1], lambda x: x + 1)",
]


def _open_ids(folder: Path) -> Feed:
    home = small_home(folder)
    return lambda content: find_match(home, content.decode("utf-8", "surrogateescape"))


TARGETS = (
    Target("journal", _in_home(_journal, rebuild), _first(_journal)),
    Target("result", _in_home(_result, rebuild), _first(_result)),
    Target("job", _in_home(_job_spec, rebuild), _first(_job_spec)),
    Target("record", _in_home(_record, rebuild_queue), _first(_record)),
    Target("orders", _in_home(_orders, rebuild_queue), lambda: [ORDERS]),
    Target("control", _open_control, lambda: CONTROL),
    Target("sql", _open_sql, lambda: SQL),
    Target("ids", _open_ids, lambda: [b"queued", b"finished/original", b"train-", b"run-", b"*", b"%"]),
)
