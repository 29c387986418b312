"""A home that vanishes ends its scheduler with a clear sentence, and nothing is made in its place."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from engine.home.paths import Home
from engine.launch.process import see_process
from engine.schedule.worker import run_worker
from engine.schedule.worker.tracks import Patience
from engine.schedule.worker.vanish import AwayHome, HomeGuard, VanishedHome, is_home, wait_back
from tests.helpers.queueing import Probe, make_home, states, submit_probes, told_process, until
from tests.schedule.worker.faking import FakeLauncher
from tests.schedule.worker.working import QUICK, outcomes, working

STILL = Patience(grace=0.0, look=0.0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Without the look at the queue that other homes have at their end: this one is gone by then."""
    return make_home(tmp_path)


def test_a_folder_is_known_again_however_it_is_named(home: Home) -> None:
    guard = HomeGuard(home)
    guard.check()
    away = home.root.with_name("away")
    home.root.rename(away)
    assert not guard.is_there()
    with pytest.raises(VanishedHome, match="the home folder is gone\nfix: bring it back"):
        guard.check()
    home.root.mkdir()
    with pytest.raises(VanishedHome, match="is not the one that was worked on"):
        guard.check()
    home.root.rmdir()
    away.rename(home.root)
    assert guard.is_there()


@pytest.mark.parametrize("until_idle", [True, False])
def test_a_scheduler_whose_home_is_deleted_ends_and_makes_no_other(home: Home, until_idle: bool) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    collected: list[Home] = []
    launcher = FakeLauncher(on_wait=lambda: shutil.rmtree(home.root, ignore_errors=True))
    with pytest.raises(VanishedHome):
        run_worker(home, until_idle=until_idle, launcher=lambda: launcher, patience=STILL, collect=collected.append)
    assert launcher.calls[-1] == ("close",)
    assert collected in ([], [home]), "at most a collection that had begun"
    assert threading.current_thread() is threading.main_thread()
    assert not home.root.exists()


def test_a_home_that_was_moved_is_away_and_a_deleted_one_is_not(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = HomeGuard(home)
    home.root.rename(home.root.with_name("away"))
    with pytest.raises(AwayHome):
        guard.check()
    home.root.with_name("away").rename(home.root)
    monkeypatch.setattr(HomeGuard, "_look", fail_with(errno.ESTALE))
    with pytest.raises(AwayHome, match="cannot be reached"):
        guard.check()
    monkeypatch.setattr(HomeGuard, "_look", fail_with(errno.EACCES))
    guard.check()
    monkeypatch.undo()
    shutil.rmtree(home.root)
    with pytest.raises(VanishedHome) as caught:
        guard.check()
    assert not isinstance(caught.value, AwayHome)
    guard.close()


def fail_with(number: int) -> Callable[[HomeGuard], None]:
    def look(_: HomeGuard) -> None:
        raise OSError(number, os.strerror(number))

    return look


def test_a_home_that_comes_back_is_taken_up_again(home: Home) -> None:
    """It goes while a job runs; what the job writes then has nowhere to go, and another attempt is made."""
    away, go = home.root.with_name("away"), home.root.parent / "go"
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "go": str(go)})])
    with working(home, patience=replace(QUICK, away=60.0)):
        pid, _ = told_process(home)
        home.root.rename(away)
        until(lambda: not (away / "scheduler.json").exists() or is_let_go(away))
        go.touch()
        until(lambda: see_process(pid) is None)
        assert not home.root.exists(), "nothing is made in its place"
        away.rename(home.root)
    assert states(home) == {"train-1": "done"}
    assert outcomes(home)[-1] == "done"


def is_let_go(folder: Path) -> bool:
    """Whether nobody holds the lock of the scheduler."""
    lock = FileLock(folder / "scheduler.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def test_a_home_that_stays_away_ends_its_scheduler_with_a_sentence(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    away = home.root.with_name("away")
    launcher = FakeLauncher(on_wait=lambda: (None if away.exists() else home.root.rename(away), None)[1])
    patience = replace(STILL, away=0.05)
    with pytest.raises(VanishedHome, match=r"is gone, and did not come back within 0 s\nfix: bring it back"):
        run_worker(home, launcher=lambda: launcher, patience=patience, collect=None)
    assert not home.root.exists()


def test_the_bare_folder_of_an_unmounted_disk_is_no_home(home: Home) -> None:
    assert is_home(home)
    shutil.rmtree(home.root)
    home.root.mkdir()
    assert not is_home(home)
    assert not wait_back(home, 60.0, lambda _: True), "asked to end"
