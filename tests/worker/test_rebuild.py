"""The queue made anew from experiments/ and jobs/."""

from __future__ import annotations

import shutil

import pytest

from engine.errors import HomeError
from engine.home import Home
from engine.launch.process import is_alive
from engine.worker import rebuild_queue
from tests.queueing import Probe, states, submit_probes, told_process, until
from tests.worker.working import order, start_worker, work, working


def test_the_queue_made_anew_says_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.schedule.FIRST_WAIT", 0.02)
    probes = [
        Probe("train-1"),
        Probe("train-2", does={"do": "crash"}),
        Probe("train-3", ("train-2",)),
        Probe("train-4", does={"do": "sleep", "seconds": 30}, cost=0.1),
    ]
    submit_probes(home, "one", [*probes, Probe("train-5", cost=0.01), Probe("train-6", cost=0.01)])
    order(home, "pause", "train-5")
    order(home, "cancel", "train-6")
    process = start_worker(home)
    pid, start = told_process(home, "train-4")
    with pytest.raises(HomeError, match="a scheduler works here"):
        rebuild_queue(home)
    until(lambda: states(home)["train-2"] == "failed" or states(home)["train-4"] == "running")
    process.kill()
    process.wait()
    before = states(home)
    assert rebuild_queue(home) == 6
    assert states(home) == before
    assert (before["train-5"], before["train-6"]) == ("paused", "cancelled")
    assert is_alive(pid, start)
    with working(home):
        order(home, "cancel", "train-4")
    assert states(home)["train-4"] == "cancelled"
    assert len(home.job("train-4").attempts()) == 1, "what ran was adopted"


def test_a_queue_that_was_deleted_comes_back_by_itself(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    assert work(home) == 0
    home.job("train-2").result.unlink()
    shutil.rmtree(home.job("train-2").attempt(1).root)
    for path in home.root.glob("queue.db*"):
        path.unlink()
    assert work(home) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
    assert len(home.job("train-1").attempts()) == 1


def test_a_damaged_queue_is_made_anew(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    assert work(home) == 0
    home.queue_db.write_bytes(b"this is no database" * 500)
    assert work(home) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
