"""Disks that are full, read-only or lose a folder: made up, and for real where mounts are allowed."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from engine.errors import HomeError
from engine.home.control_files import read_outcome
from engine.home.paths import Home, open_home
from engine.inspect.status import find_trouble, read_status
from engine.launch.exits import Exit
from engine.launch.shortages import SHORTAGES
from engine.schedule import policy
from engine.schedule.worker.attempts import saved_step
from engine.schedule.worker.loop import Scheduler
from store.queue import Queue, QueueFault
from tests.cli.test_cli import run_xp
from tests.helpers.queueing import Probe, faults, states, submit_probes, until
from tests.schedule.worker.working import ROOT, outcomes, reason, work, working

TINY = ROOT / "tests" / "resources" / "tiny.yaml"


def test_a_job_folder_deleted_under_its_job_is_a_clear_failure_and_a_new_submission_mends_it(home: Home) -> None:
    probes = [
        Probe("train-1", does={"do": "steps", "steps": 30, "seconds": 0.0, "hold": 3, "go": str(home.root / "go")})
    ]
    submit_probes(home, "one", probes)
    with working(home):
        until(lambda: saved_step(home.job("train-1").attempt(1)) == 3)
        shutil.rmtree(home.job("train-1").root, ignore_errors=True)
        (home.root / "go").touch()
    assert states(home) == {"train-1": "failed"}
    assert "its folder is gone" in reason(home)
    submit_probes(home, "one", probes)
    assert work(home) == 0
    assert states(home) == {"train-1": "done"}


def test_a_full_disk_stops_nothing_for_good(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room at three looks: each time nothing is started and the scheduler stays; room again: it goes on."""
    seen: list[dict[str, str]] = []

    def trouble(_: Home) -> str:
        seen.append(states(home))
        return "" if len(seen) > 3 else "the disk is full"

    monkeypatch.setattr("engine.schedule.worker.loop.home_trouble", trouble)
    submit_probes(home, "one", [Probe("train-1")])
    assert work(home) == 0
    assert seen[:4] == [{"train-1": "queued"}] * 4
    assert (states(home), outcomes(home)) == ({"train-1": "done"}, ["done"])


@pytest.mark.parametrize("number", SHORTAGES)
def test_what_the_machine_lacks_is_waited_for_and_spends_nothing(
    home: Home, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "LACK_WAIT", 0.2)
    submit_probes(home, "one", [Probe("train-1", does={"do": "lack", "errno": number, "times": 4})])
    with working(home):
        until(lambda: SHORTAGES[number] in reason(home))
    assert outcomes(home) == ["crashed"] * 4 + ["done"], "more than a job of its own fault may have"
    told = [json.loads(home.job("train-1").attempt(k).outcome.read_text()) for k in (1, 4)]
    assert [(one["exit"], one["state"], one["spent"]) for one in told] == [(Exit.LACKING, "queued", {})] * 2


def test_a_process_that_cannot_even_start_costs_no_attempts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under a small `ulimit -n`: jobs are not handed to what ends at once, and go on when it does not."""
    dying = home.root.parent / "dying"
    dying.touch()
    monkeypatch.setenv("XP_DYING", str(dying))
    waits: list[str] = []
    monkeypatch.setattr(Scheduler, "back_off", note_trouble(waits, Scheduler.back_off))
    submit_probes(home, "one", [Probe("train-1")])
    with working(home, preload="tests.launch.dying_job"):
        until(lambda: len(waits) > 3)
        dying.unlink()
    assert set(waits) == {"the process that starts jobs ends before it is ready; its last words stand above"}
    assert outcomes(home) == ["lost", "done"], "the first, which showed it"
    assert spent(home) == {"train-1": 0}


def note_trouble(noted: list[str], whole: Callable[..., None]) -> Callable[..., None]:
    def back_off(scheduler: Scheduler, error: Exception, also: list[int]) -> None:
        noted.append(str(error))
        whole(scheduler, error, also)

    return back_off


def test_a_queue_that_cannot_be_written_for_a_while_loses_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts and leases that fail in the middle are made good on a later turn."""
    broken = [4]

    def sometimes(name: str) -> None:
        whole = getattr(Queue, name)

        def call(*words: Any, **named: Any) -> Any:
            if broken[0] > 0:
                broken[0] -= 1
                raise OSError("database or disk is full")
            return whole(*words, **named)

        monkeypatch.setattr(Queue, name, call)

    sometimes("finish")
    sometimes("running")
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    assert work(home) == 0
    assert broken == [0]
    assert states(home) == {"train-1": "done", "train-2": "done"}


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[None]:
    """Mount something on `folder` for a while; skip the test where we may not."""
    answer = subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        pytest.skip(f"mounts are not allowed here: {answer.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave not one block free."""
    filler = folder / "filler"
    with suppress(OSError), open(filler, "wb", buffering=0) as handle:
        while True:
            handle.write(bytes(4096))
    return filler


def use_inodes(folder: Path) -> Path:
    """Leave not one inode free; what is given back gives them all back."""
    filler = folder / "filler"
    filler.mkdir()
    with suppress(OSError):
        for number in range(10_000):
            (filler / str(number)).touch()
    return filler


@pytest.mark.parametrize(
    ("size", "use_up", "told"),
    [("size=4m", fill, "the disk is full"), ("size=64m,nr_inodes=400", use_inodes, "no inodes left")],
)
def test_a_full_disk_pauses_the_work_and_room_lets_it_go_on(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    size: str,
    use_up: Callable[[Path], Path],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy, "LACK_WAIT", 0.2)
    go = tmp_path_factory.mktemp("elsewhere") / "go"
    with mounted(tmp_path, "-t", "tmpfs", "-o", size, "tmpfs"):
        home = open_home(tmp_path / "home", create=True)
        steps = {"do": "steps", "steps": 40, "seconds": 0.0, "hold": 3, "go": str(go)}
        submit_probes(home, "one", [Probe("train-1", does=steps, cost=9.0), Probe("train-2")])
        thread = threading.Thread(target=work, args=(home,), daemon=True)
        thread.start()
        until(lambda: saved_step(home.job("train-1").attempt(1)) == 3)
        filler = use_up(tmp_path)
        go.touch()
        until(lambda: outcomes(home)[:1] == ["crashed"] or told in find_trouble(home, read_status(home)))
        assert thread.is_alive(), "the scheduler stays"
        assert "done" not in states(home).values()
        assert told in find_trouble(home, read_status(home))
        shutil.rmtree(filler) if filler.is_dir() else filler.unlink()
        thread.join(240)
        assert states(home) == {"train-1": "done", "train-2": "done"}
        assert faults(home) == []
        assert spent(home) == {"train-1": 0, "train-2": 0}


def spent(home: Home) -> dict[str, int]:
    """What each job has used up of its budgets."""
    with closing(sqlite3.connect(home.queue_db)) as queue:
        return dict(queue.execute("SELECT job, crashed + lost + ooms FROM jobs").fetchall())


def test_a_read_only_home_is_refused_by_the_scheduler_and_still_read(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    submit_probes(home, "one", [Probe("train-1")])
    with mounted(home.root, "--bind", "-o", "ro", str(home.root)):
        with pytest.raises(HomeError, match="Read-only file system"):
            work(home)
        assert states(home) == {"train-1": "queued"}
        with pytest.raises(QueueFault):
            Queue(home.queue_db).request_pause(["train-1"])
        assert "read-only file system" in find_trouble(home, read_status(home))
        for words in (["submit", str(TINY)], ["pause", "one"], ["worker", "--until-idle"], ["rebuild"]):
            answer = run_xp(*words, home=home.root, code=2)
            assert "\nerror: " in f"\n{answer.stderr}"  # whose scheduler it is, is said before
            assert "\nfix: make" in answer.stderr
    assert work(home) == 0
    assert states(home) == {"train-1": "done"}


def test_a_file_cut_while_it_is_mapped_is_told_and_the_log_has_the_line(home: Home) -> None:
    """The process ends by SIGBUS, which by itself says nothing; what Python adds to the log hides no last words."""
    submit_probes(home, "one", [Probe("train-1", does={"do": "cut"})])
    assert work(home) == 0
    attempt = home.job("train-1").attempt(1)
    told = read_outcome(attempt)
    assert told is not None
    assert (told.outcome, told.exit) == ("crashed", -signal.SIGBUS)
    assert told.reason.startswith("killed by SIGBUS (a file that was mapped was cut short")
    assert told.reason.endswith("reads its weights")
    assert "in read_cut" in attempt.log.read_text(), "the stack"
    assert states(home) == {"train-1": "done"}
