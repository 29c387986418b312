"""The parts of a verification without a training: what is short, whom it strikes, what it lends and clears."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import Job
from engine.spec.cells import expand_cells
from engine.spec.job_kinds import KINDS
from engine.spec.job_settings import JobDetails
from engine.verify import resume as verify
from engine.verify.certificate import Verified
from engine.verify.resume import OWNER, Victim, first_cells, short_form
from store.queue import Queue, Verdict
from tests.helpers.queueing import Probe, submit_probes
from tests.run.bench import TRAIN, TRAIN_JOB

TINY = Path(__file__).parents[1] / "resources" / "tiny.yaml"
ME = {"pid": 700, "start_time": 99, "host": "here", "boot_id": "boot"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Every signal and every session that was killed, on a machine of the test's own."""
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(verify, "host_name", lambda: "here")
    monkeypatch.setattr(verify, "boot_id", lambda: "boot")
    monkeypatch.setattr(verify, "kill_session", lambda pid, start, log: made.append((pid, start)))

    def signal_process(*words: Any) -> bool:
        made.append(words)
        return True

    monkeypatch.setattr(verify, "signal_process", signal_process)
    monkeypatch.setattr("engine.verify.resume.time.sleep", lambda seconds: None)
    return made


def save(home: Home, step: int, attempt: int = 1, **more: Any) -> None:
    folder = home.job("train-1").attempt(attempt)
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    write_json(folder.checkpoints / "pointer.json", {"step": step})
    write_json(folder.handle, {**ME, **more})


def test_a_training_is_struck_once_after_each_mark(home: Home, sent: list[tuple[Any, ...]]) -> None:
    victim = Victim(home.job("train-1"), steps=10, marks=[3, 5])
    assert victim.strike(0.0) is None, "no attempt yet"
    save(home, 2)
    assert victim.strike(0.0) is None, "before the mark"
    save(home, 3)
    assert victim.strike(0.0) == "  train-1: SIGKILL after step 3, attempt 1"
    assert sent == [(700, 99, signal.SIGKILL)]
    save(home, 7)
    assert victim.strike(0.0) is None, "the same attempt is not struck twice"
    save(home, 10, attempt=2)
    assert victim.strike(0.0) is None, "the last step leaves nothing to do"
    save(home, 9, attempt=2)
    assert victim.strike(0.0) is not None
    save(home, 9, attempt=10)
    assert victim.strike(0.0) is None, "no mark is left"
    assert (victim.kills, victim.marks, victim.last) == (2, [], 2)


def test_a_strike_that_came_too_late_counts_as_none(
    home: Home, sent: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = Victim(home.job("train-1"), steps=10, marks=[3])
    save(home, 4)
    monkeypatch.setattr("engine.verify.resume.time.sleep", lambda seconds: save(home, 10))
    assert victim.strike(0.0) is None
    save(home, 4)
    monkeypatch.setattr("engine.verify.resume.time.sleep", lambda seconds: save(home, 5, exit=0))
    sent.clear()
    assert victim.strike(0.0) is None
    assert (victim.kills, victim.marks, sent) == (0, [3], [])


@pytest.mark.parametrize(
    ("words", "ended", "killed"),
    [
        ({}, False, True),
        ({"host": "there"}, False, False),
        ({"boot_id": "before"}, False, False),
        ({"exit": 0}, False, False),
        ({}, True, False),
    ],
)
def test_only_an_attempt_that_may_live_here_is_killed(
    home: Home, sent: list[tuple[Any, ...]], words: dict[str, Any], ended: bool, killed: bool
) -> None:
    save(home, 1, **words)
    if ended:
        home.job("train-1").attempt(1).outcome.write_text("{}")
    verify._kill_attempt(home.job("train-1").attempt(1))
    verify._kill_attempt(home.job("train-1").attempt(2))
    assert sent == ([(700, 99)] if killed else [])


def leave_scratch(home: Home, **words: Any) -> Home:
    root = home.verify_root / "left"
    scratch = Home(root, root / "cache")
    (scratch.jobs_root / "train-1").mkdir(parents=True)
    write_json(scratch.scheduler_file, {**ME, **words})
    return scratch


@pytest.mark.parametrize(
    ("words", "stays", "killed"),
    [({}, False, True), ({"boot_id": "before"}, False, False), ({"host": "there"}, True, False)],
)
def test_what_nobody_holds_is_cleared_but_not_another_machines(
    home: Home, sent: list[tuple[Any, ...]], words: dict[str, Any], stays: bool, killed: bool
) -> None:
    scratch = leave_scratch(home, **words)
    verify._clear_unowned(scratch.root)
    assert (scratch.root.exists(), sent) == (stays, [(700, 99)] if killed else [])


def test_what_a_living_process_holds_is_let_be(home: Home, sent: list[tuple[Any, ...]]) -> None:
    scratch = leave_scratch(home)
    with FileLock(scratch.root / OWNER):
        verify._clear_unowned(scratch.root)
    assert (scratch.root.exists(), sent) == (True, [])
    (home.verify_root / "file").touch()
    verify._clear_unowned(home.verify_root / "file")


def test_a_lent_network_is_not_cleared_with_its_borrower(home: Home, sent: list[tuple[Any, ...]]) -> None:
    save(home, 1)
    scratch = leave_scratch(home)
    (scratch.jobs_root / "train-9").symlink_to(home.job("train-1").root, target_is_directory=True)
    verify._clear_scratch(scratch)
    assert sent == []
    assert home.job("train-1").attempt(1).handle.exists()
    assert not scratch.root.exists()


def test_ascratch_home_shares_the_packs_and_is_gone_afterwards(home: Home, sent: list[tuple[Any, ...]]) -> None:
    with verify.scratch_home(home) as scratch:
        assert scratch.root.parent == home.verify_root
        assert scratch.pack("").resolve() == home.pack("").resolve()
        assert scratch.experiments_root.is_dir()
        with pytest.raises(Timeout), FileLock(scratch.root / OWNER, timeout=0):
            raise AssertionError("its maker holds it")
    assert not scratch.root.exists()
    assert home.pack("").is_dir()


def test_each_arm_is_tried_at_the_first_point() -> None:
    spec = load_spec(TINY, ())
    cells = list(expand_cells(spec))
    found = first_cells(spec)
    assert [cell.arm for cell in found] == list(dict.fromkeys(cell.arm for cell in cells))
    for cell in found:
        assert cell == next(one for one in cells if one.arm == cell.arm)


def test_the_short_form_is_never_longer_than_the_spec() -> None:
    cells = {cell.arm: cell for cell in expand_cells(load_spec(TINY, ("train.epochs=1", "train.warmup_epochs=1")))}
    short = short_form(cells["distilled_pruned"], 7, "verify-3", 0.25, 5)
    assert (short.train.epochs, short.train.warmup_epochs, short.train.save_minutes) == (1, 0, 0.25)
    assert (short.name, list(short.seeds), short.explain.images) == ("verify-3", [7], 1)
    assert (list(short.measure.batch_sizes), list(short.measure.threads), short.measure.seconds) == ([1], [1], 0.01)


def job(key: str, needs: dict[str, str] | None = None, epochs: int = 1, kind: str = "train") -> Job:
    words = {**TRAIN_JOB, "train": {**TRAIN, "epochs": 1 if kind == "prune" else epochs}}
    more = {"prune": {"recover_epochs": epochs}} if kind == "prune" else {}
    settings = KINDS[kind].settings.model_validate({**words, **more})
    return Job(key, key, kind, needs or {}, settings, JobDetails())


class Planned:
    def __init__(self, *jobs: Job) -> None:
        self.jobs = jobs


@pytest.fixture
def lend(home: Home, tmp_path: Path) -> Callable[..., tuple[set[str], Home]]:
    def call(*jobs: Job, done: tuple[str, ...] = (), epochs: int = 2) -> tuple[set[str], Home]:
        scratch = open_home(tmp_path / "scratch", create=True)
        for key in done:
            home.job(key).root.mkdir(parents=True)
            home.job(key).result.write_text("{}")
        return verify._lend_trained(Planned(*jobs), home, scratch, epochs), scratch  # type: ignore[arg-type]

    return call


def test_only_what_is_longer_is_lent(lend: Callable[..., tuple[set[str], Home]]) -> None:
    long, short, pruned = job("train-1", epochs=3), job("train-2", epochs=2), job("prune-3", {}, 3, "prune")
    taken, scratch = lend(long, short, pruned, done=("train-1", "train-2", "prune-3"))
    assert taken == {"train-1", "prune-3"}
    assert scratch.job("train-1").root.is_symlink()
    assert not scratch.job("train-2").root.exists()


def test_what_a_lent_network_needed_is_not_asked_for(lend: Callable[..., tuple[set[str], Home]]) -> None:
    first, second, last = (
        job("train-1", epochs=9),
        job("train-2", {"teacher": "train-1"}, 9),
        job("train-3", {"teacher": "train-2"}, 9),
    )
    taken, scratch = lend(first, second, last, done=("train-3",))
    assert taken == {"train-1", "train-2", "train-3"}
    assert [folder.job for folder in scratch.jobs()] == ["train-3"]


def test_a_long_network_that_is_not_trained_is_refused(lend: Callable[..., tuple[set[str], Home]]) -> None:
    with pytest.raises(XpError, match="train-3, the network of another run, is not trained here yet"):
        lend(job("train-1", epochs=9), job("train-3", {"teacher": "train-1"}, 9), done=("train-1",))


def test_the_reason_is_the_jobs_own_or_that_of_one_before_it(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2"), Probe("train-3")])
    assert verify._reason_of(home, "train-2") == "its scheduler ended"
    with Queue(home.queue_db) as queue:
        for name in ("train-1", "train-2"):
            queue.lease(name, 1, "cpu:0", boot_id="", expires=0.0, now=1.0)
            queue.finish(name, 1, Verdict("nan", "failed", f"of {name}"), 2.0)
    assert verify._reason_of(home, "train-2") == "train-2: of train-2"
    assert verify._reason_of(home, "train-3") == "train-1: of train-1"


def test_bits_are_compared_straight_with_killed(home: Home, tmp_path: Path) -> None:
    killed = open_home(tmp_path / "killed", create=True)
    for where, digest in ((home, "a"), (killed, "b")):
        where.job("train-1").root.mkdir(parents=True)
        write_json(where.job("train-1").result, {"weights_sha256": digest, "attempt": 1})
    found = verify._compare("train-1", 2, home, killed)
    assert (found.job, found.kills, found.straight, found.killed) == ("train-1", 2, "a", "b")
    killed.job("train-1").result.unlink()
    assert verify._compare("train-1", 2, home, killed).killed == ""


def test_a_certificate_says_where_it_was_made(home: Home, sent: list[tuple[Any, ...]]) -> None:
    spec = load_spec(TINY, ())
    cells = first_cells(spec)
    folder = home.job("train-1")
    folder.attempt(2).root.mkdir(parents=True)
    bare = verify._certify(spec, cells, [], folder)
    assert (bare.device, bare.cpu_model, bare.torch) == ("cpu", "", "")
    write_json(folder.result, {"attempt": 2})
    write_json(folder.attempt(2).provenance, {"device": "H100", "cpu_model": "Xeon", "torch": "2.15"})
    found = verify._certify(spec, cells, [Verified("train-1", 1, "a", "a")], folder)
    assert (found.experiment, found.host, found.device, found.cpu_model, found.torch) == (
        spec.name, "here", "H100", "Xeon", "2.15",
    )  # fmt: skip
    assert list(found.networks) == [cell.arm for cell in cells]
    assert found.at.endswith(" UTC")
