"""A pid that was given away: handles that name a process of somebody else; whatever is asked, it gets no signal."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home
from engine.launch import Handle, State
from engine.launch.local import LocalLauncher
from engine.launch.process import boot_id, host_name, is_alive, see_process
from store.queue import Queue
from tests.helpers.queueing import PROBE, Probe, make_home, states, submit_probes, until
from tests.schedule.worker.working import order, outcomes, work


@dataclass(frozen=True)
class Stranger:
    """A session of somebody else: `pid` and `start` of its leader, and the process that must live on."""

    pid: int
    start: int
    lives: int
    lives_start: int

    @property
    def is_well(self) -> bool:
        return is_alive(self.lives, self.lives_start)


@contextmanager
def stranger(*, leaderless: bool = False) -> Iterator[Stranger]:
    """Any signal of ours would end it; without its leader, it is what that one left in the session."""
    script = "sleep 60 & echo $!" if leaderless else "echo $$; exec sleep 60"
    leader = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert leader.stdout is not None
    lives, began = int(leader.stdout.readline()), see_process(leader.pid)
    if leaderless:
        leader.wait()
        began = None
    seen = see_process(lives)
    assert seen is not None
    try:
        yield Stranger(leader.pid, began.start if began else 1, lives, seen.start)
    finally:
        subprocess.run(["kill", "-9", str(lives)], check=False)
        leader.wait()
        leader.stdout.close()


# How a handle may name it: what is other than in a handle of its own, and whether its leader lives.
CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "started at another time": ({"start_time": -1}, False),
    "of another boot": ({"boot_id": "before"}, False),
    "of another boot, started at another time": ({"boot_id": "before", "start_time": -1}, False),
    "of a session whose leader is gone": ({}, True),
    "of another boot, of a session whose leader is gone": ({"boot_id": "before"}, True),
}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest, home: Home) -> Iterator[Stranger]:
    """A job whose first attempt has a handle that names a stranger."""
    change, leaderless = CASES[request.param]
    with stranger(leaderless=leaderless) as made:
        told = {"pid": made.pid, "start_time": made.start, "host": host_name(), "boot_id": boot_id()}
        told |= {name: made.start - 1 if name == "start_time" else value for name, value in change.items()}
        attempt = home.job("train-1").attempt(1)
        attempt.root.mkdir(parents=True)
        attempt.handle.write_text(json.dumps(told))
        attempt.log.write_text("one line\n")
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def test_a_launcher_leaves_a_stranger_alone(home: Home, case: Stranger) -> None:
    launcher = LocalLauncher(PROBE)
    handle = Handle("train-1", 1, str(home.job("train-1").attempt(1).root))
    launcher.dump_stacks(handle)
    launcher.stop(handle, grace=0.0)
    assert launcher.poll([handle])[handle].state == State.GONE
    launcher.forget(handle)
    found = launcher.find("train-1", 1, handle.folder)
    assert found is not None
    launcher.dump_stacks(found)
    launcher.stop(found, grace=0.0)
    assert launcher.poll([found])[found].state == State.GONE
    launcher.close()
    time.sleep(0.05)
    assert case.is_well


@pytest.mark.parametrize("wish", ["", "cancel"])
def test_a_scheduler_adopts_and_cancels_no_stranger(home: Home, case: Stranger, wish: str) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    with Queue(home.queue_db) as queue:
        leased = queue.lease("train-1", 1, "cpu:0", boot_id=boot_id(), expires=time.monotonic() + 60, now=time.time())
        assert leased
    if wish:
        order(home, wish, "train-1")
    work(home)
    until(lambda: states(home)["train-1"] in ("done", "cancelled"))
    assert states(home)["train-1"] == ("cancelled" if wish else "done")
    assert outcomes(home) == (["cancelled"] if wish else ["lost", "done"])
    assert case.is_well


def test_what_a_job_of_ours_left_behind_is_ended_all_the_same(home: Home) -> None:
    """Its leader is dead and nobody reaped its session: what writes into its log is its own."""
    attempt = home.job("train-1").attempt(1)
    attempt.root.mkdir(parents=True)
    with open(attempt.log, "w") as log:
        words = ["sh", "-c", "sleep 60 & echo $!"]
        subprocess.run(words, stdout=log, stderr=log, start_new_session=True, check=True)
    left = int(attempt.log.read_text())
    seen = see_process(left)
    assert seen is not None
    told = {"pid": seen.session, "start_time": 1, "host": host_name(), "boot_id": boot_id()}
    attempt.handle.write_text(json.dumps(told))
    launcher = LocalLauncher(PROBE)
    assert launcher.find("train-1", 1, str(attempt.root)) is not None
    until(lambda: not is_alive(left, seen.start), seconds=10.0)
    launcher.close()
