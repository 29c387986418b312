"""A home that vanishes ends its scheduler with a clear sentence, and nothing is made in its place."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.schedule.worker import run_worker
from engine.schedule.worker.loop import Patience
from engine.schedule.worker.vanish import HomeGuard, VanishedHome
from tests.helpers.queueing import Probe, make_home, submit_probes
from tests.schedule.worker.faking import FakeLauncher

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
