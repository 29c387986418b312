"""A machine that is about to be taken away: what runs is saved and ended, and goes on under the next scheduler."""

from __future__ import annotations

import signal

import pytest

from engine.home.paths import Home
from engine.launch.preempt import VARIABLE
from engine.launch.process import is_alive
from tests.helpers.queueing import Probe, states, submit_probes, told_process
from tests.schedule.worker.working import outcomes, start_worker, work

LONG = {"do": "steps", "steps": 400, "seconds": 0.0, "hold": 1}


@pytest.mark.parametrize(("named", "number"), [("", signal.SIGUSR1), ("TERM", signal.SIGTERM)])
def test_the_announced_end_saves_and_queues_again_what_runs(
    home: Home, named: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, named)
    submit_probes(home, "one", [Probe("train-1", does=LONG)])
    scheduler = start_worker(home)
    pid, start = told_process(home)
    scheduler.send_signal(number)
    assert scheduler.wait(120) == 130
    assert not is_alive(pid, start)
    assert outcomes(home) == ["preempted"]
    assert states(home) == {"train-1": "queued"}
    monkeypatch.setitem(LONG, "steps", 1)
    submit_probes(home, "one", [Probe("train-1", does=LONG)])
    assert work(home) == 0
    assert outcomes(home) == ["preempted", "done"]


def test_a_scheduler_that_is_asked_to_end_leaves_its_jobs_running(home: Home) -> None:
    go = home.root / "go"
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "go": str(go)})])
    scheduler = start_worker(home)
    pid, start = told_process(home)
    scheduler.terminate()
    assert scheduler.wait(120) == 130
    assert is_alive(pid, start)
    go.touch()
    assert work(home) == 0
    assert outcomes(home) == ["done"]
