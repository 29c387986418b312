"""The queue on a real PostgreSQL server: schedulers that share it, one that goes away, and one that is killed.

What the queue answers is asked by its own tests (tests/store/queue), run once more on this server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.schedule.worker import rebuild_queue
from store.queue import Queue, QueueFault, QueueRefused, Verdict
from store.queue.place import VARIABLE, read_schema
from tests.cluster.postgres_site import PostgresSite, in_folder
from tests.helpers.queueing import PROBE, Probe, make_home, make_record, states, submit_probes
from tests.search.objective import make_spec, submit_study
from tests.search.test_schedulers import check_each_once

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
# What only a file has: its damage, its modes, its copy.
OF_FILES = ("test_tables.py", "test_connection.py", "test_place.py")
OF_SQLITE = "test_damage_that_sqlite_sees_is_told"
CLAIMER = """
import json, os, sys, time
from pathlib import Path
from store.queue import End, Queue, QueueFault, Start, Verdict
path, me = Path(sys.argv[1]), sys.argv[2]
won, answered = [], []
def ask(call):
    while True:
        try:
            return call()
        except QueueFault:
            time.sleep(0.3)
def claim():
    with Queue(path) as queue:
        while True:
            claims = queue.ready_jobs("many", time.time(), 120)
            if not claims:
                if not queue.has_work():
                    return
                time.sleep(0.02)
                continue
            starts = [Start(claim.job, claim.attempts + 1, me) for claim in claims[8 * int(me[-1]):][:60] or claims[:1]]
            rows = queue.lease_all(starts, boot_id=me, expires=1e9, now=time.time())
            won.extend((row.job, row.attempt) for row in rows)
            # What was leased by a call that got no answer is ours as well.
            mine = [row for row in queue.running() if row.boot_id == me]
            ended = queue.finish_all(End(row.job, row.attempt, Verdict("done", "done"), time.time()) for row in mine)
            answered.extend((row.job, row.attempt) for row in mine if row.job in ended.states)
ask(claim)
Path(sys.argv[3]).write_text(json.dumps({"won": won, "answered": answered}))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresSite]:
    with in_folder() as site:
        yield site


@pytest.fixture
def quick_server() -> Iterator[PostgresSite]:
    with in_folder(syncs=False) as site:
        yield site


@pytest.fixture
def home(server: PostgresSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv(VARIABLE, server.url)
    made = make_home(tmp_path)
    yield made
    with Queue.open_readonly(made.queue_db) as queue:
        assert queue.check_integrity() == []


@pytest.mark.timeout(1200)  # two hundred tests, each with a schema of its own
def test_what_the_queue_answers_is_the_same_on_a_server(quick_server: PostgresSite) -> None:
    left_out = [f"--ignore=tests/store/queue/{name}" for name in OF_FILES]
    words = ["-q", "-p", "no:cacheprovider", "tests/store/queue", "-k", f"not {OF_SQLITE}", *left_out]
    environment = {**os.environ, VARIABLE: quick_server.url}
    told = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout[-3000:]


def test_eight_claim_ten_thousand_jobs_and_none_twice(home: Home, tmp_path: Path) -> None:
    claim_all(home, tmp_path, lambda: None)


def test_a_server_that_is_restarted_and_killed_loses_nothing(home: Home, tmp_path: Path, server: PostgresSite) -> None:
    def trouble() -> None:
        for end in (server.stop, server.kill, server.kill):
            time.sleep(2.0)
            end()
            server.start()

    claim_all(home, tmp_path, trouble)


def claim_all(home: Home, folder: Path, trouble: Callable[[], None]) -> None:
    """Let eight processes claim and finish 10,000 jobs, and see that each was done once."""
    jobs = [f"train-{number:05d}" for number in range(10_000)]
    with Queue(home.queue_db) as queue:
        queue.add_experiment(make_record("many", [Probe(job) for job in jobs]))
    told = [folder / f"{number}.json" for number in range(8)]
    claimers = [
        subprocess.Popen([sys.executable, "-c", CLAIMER, str(home.queue_db), f"host{number}", str(path)], cwd=ROOT)
        for number, path in enumerate(told)
    ]
    try:
        trouble()
        assert [claimer.wait(300) for claimer in claimers] == [0] * 8
    finally:
        for claimer in claimers:
            claimer.kill()
    answers = [json.loads(path.read_text()) for path in told]
    won = Counter(tuple(one) for answer in answers for one in answer["won"])
    ended = Counter(tuple(one) for answer in answers for one in answer["answered"])
    assert max(won.values()) == max(ended.values()) == 1, "nobody was told of what another had"
    with Queue.open_readonly(home.queue_db) as queue:
        attempts = queue.attempt_rows()
        assert Counter(queue.job_states().values()) == {"done": 10_000}
    # A call whose answer was lost counts, though nobody heard of it: its job is done, and once.
    assert [(row.job, row.attempt, row.outcome) for row in attempts] == [(job, 1, "done") for job in jobs]
    assert len(won) <= 10_000


def start_worker(home: Home, **more: str) -> subprocess.Popen[bytes]:
    words = ["--home", str(home.root), "--until-idle", "--preload", PROBE, "--no-collect"]
    with open(home.scheduler_log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "engine.schedule.worker", *words], cwd=ROOT, stderr=log, env={**os.environ, **more}
        )


def test_a_scheduler_waits_for_its_server_and_goes_on(home: Home, server: PostgresSite, tmp_path: Path) -> None:
    go = tmp_path / "go"
    submit_probes(home, "one", [Probe(f"train-{number}", does={"do": "sleep", "go": str(go)}) for number in range(3)])
    worker = start_worker(home)
    try:
        wait_for(lambda: "running" in states(home).values())
        server.kill()
        go.touch()
        wait_for(lambda: "cannot go on for now" in home.scheduler_log.read_text())
        assert worker.poll() is None
        server.start()
        assert worker.wait(60) == 0, home.scheduler_log.read_text()
    finally:
        worker.kill()
    assert set(states(home).values()) == {"done"}
    assert "goes on" in home.scheduler_log.read_text()
    assert all(len(home.job(f"train-{number}").attempts()) == 1 for number in range(3)), "no job was done twice"


def test_a_scheduler_that_starts_without_its_server_waits_for_it(home: Home, server: PostgresSite) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    server.stop()
    worker = start_worker(home)
    try:
        wait_for(lambda: "does not answer" in home.scheduler_log.read_text())
        server.start()
        assert worker.wait(60) == 0, home.scheduler_log.read_text()
    finally:
        worker.kill()
    assert states(home) == {"train-1": "done"}


def test_two_hosts_share_the_work_and_leave_each_others_jobs_alone(home: Home) -> None:
    submit_probes(
        home, "one", [Probe(f"train-{number:02d}", does={"do": "sleep", "seconds": 0.2}) for number in range(12)]
    )
    work_on_two_hosts(home, "--preload", PROBE, "--no-collect")
    assert set(states(home).values()) == {"done"}
    with Queue.open_readonly(home.queue_db) as queue:
        assert [row.outcome for row in queue.attempt_rows()] == ["done"] * 12, "each once"


def test_two_hosts_share_one_search_and_draw_each_trial_once(home: Home) -> None:
    pytest.importorskip("optuna", reason="needs the extra `search`")
    submit_study(home, make_spec(trials=10, parallel=4))
    logs = work_on_two_hosts(home, "--preload", "tests.search.objective")
    check_each_once(home, 10)
    assert all(" started on " in log for log in logs), "both did some of it"


def work_on_two_hosts(home: Home, *more: str) -> list[str]:
    """Have a scheduler on each of two hosts, as far as anybody can tell, work until there is nothing to do.

    Returns what each of them said.
    """
    code = (
        "import sys, engine.launch.process as process; process.host_name = lambda: sys.argv[1];"
        "import engine.schedule.worker.lock as lock; lock.host_name = process.host_name;"
        "import engine.schedule.worker.loop as loop; loop.boot_id = lambda: sys.argv[1];"
        "from engine.schedule.worker.__main__ import main; sys.exit(main(sys.argv[2:]))"
    )
    words = ["--home", str(home.root), "--until-idle", *more]
    paths = [home.scheduler_log.with_name(f"{name}.log") for name in "ab"]
    with ExitStack() as open_files:
        files = [open_files.enter_context(open(path, "wb")) for path in paths]
        calls = [[sys.executable, "-c", code, name, *words] for name in "ab"]
        workers = [subprocess.Popen(call, cwd=ROOT, stderr=log) for call, log in zip(calls, files, strict=True)]
        try:
            ended = [worker.wait(120) for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
    logs = [path.read_text() for path in paths]
    assert ended == [0, 0], "\n".join(logs)
    return logs


def test_a_lease_that_nobody_renews_is_taken_over(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    with Queue(home.queue_db) as queue:
        for job, boot in (("train-1", "gone"), ("train-2", "here")):
            assert queue.lease(job, 1, "cpu:0", boot_id=boot, expires=1.0, now=1.0)
        assert [row.job for row in queue.take_over("here", 5.0)] == ["train-2"]
        assert queue.works_elsewhere("here")
        monkeypatch.setattr("store.queue.postgres.ABANDONED_SECONDS", -1.0)
        assert [row.job for row in queue.take_over("here", 5.0)] == ["train-1", "train-2"]
        assert not queue.works_elsewhere("here")


def test_a_rebuild_keeps_the_schema_and_what_the_folders_know(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    home.job("train-1").result.write_text("{}")
    schema = read_schema(home.queue_db)
    with Queue(home.queue_db) as other:
        before = other.data_version()
        assert rebuild_queue(home) == 2
        assert other.data_version() != before, "who has it open sees that it is another one"
        assert other.job_states() == {"train-1": "done", "train-2": "queued"}
    assert read_schema(home.queue_db) == schema
    assert states(home) == {"train-1": "done", "train-2": "queued"}


def test_a_rebuild_moves_a_queue_to_the_server_and_back(
    home: Home, server: PostgresSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    submit_probes(home, "one", [Probe("train-1")])
    monkeypatch.setenv(VARIABLE, server.url)
    with pytest.raises(QueueRefused, match="the queue of this home is a file"):
        Queue(home.queue_db)
    assert rebuild_queue(home) == 1
    assert read_schema(home.queue_db)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(QueueRefused, match="XP_QUEUE is not set"):
        Queue(home.queue_db)
    assert rebuild_queue(home) == 1
    assert states(home) == {"train-1": "queued"}
    assert home.queue_db.read_bytes().startswith(b"SQLite")


def test_a_rebuild_is_refused_while_another_host_works(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    with Queue(home.queue_db) as queue:
        assert queue.lease("train-1", 1, "cpu:0", boot_id="elsewhere", expires=1.0, now=1.0)
        with pytest.raises(Exception, match="a scheduler of another host works on the queue"):
            rebuild_queue(home)
        queue.finish("train-1", 1, Verdict("done", "done"), 2.0)


def test_a_server_that_is_down_is_told_without_a_traceback(home: Home, server: PostgresSite) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    server.stop()
    try:
        with pytest.raises(QueueFault), Queue(home.queue_db):
            pass
        line = [sys.executable, "-m", "engine.cli", "status", "--home", str(home.root)]
        told = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    finally:
        server.start()
    assert told.returncode == 2
    assert "the server of the queue does not answer" in told.stderr
    assert "nothing that was submitted is lost" in told.stderr
    assert "Traceback" not in told.stderr


def wait_for(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
