"""What people ask of jobs that run: cancel, pause, resume, and second thoughts."""

from __future__ import annotations

import time

from engine.home import Home
from engine.launch.process import session_members
from store.queue import Queue
from tests.queueing import Probe, states, submit_probes, told_process, until
from tests.worker.working import QUICK, order, outcomes, work, working


def test_cancel_returns_the_machine_within_its_grace_and_leaves_no_process(home: Home) -> None:
    does = {"do": "sleep", "seconds": 60, "deaf": True, "child": True}
    submit_probes(home, "one", [Probe("train-1", does=does), Probe("train-2")])
    with working(home):
        pid, _ = told_process(home)
        until(lambda: len(session_members(pid)) == 2)
        asked = time.monotonic()
        order(home, "cancel", "train-1", "train-2")
        until(lambda: states(home)["train-1"] == "cancelled")
        assert time.monotonic() - asked < QUICK.grace + 1.0
        until(lambda: session_members(pid) == [], seconds=1.0)
    assert outcomes(home) == ["cancelled"]
    assert outcomes(home, "train-2") == []


def test_who_submits_again_while_a_cancelled_job_is_still_ending_gets_it_done(home: Home) -> None:
    """The job is deaf, so that the second submission comes between the request and the end."""
    probes = [Probe("train-1", does={"do": "sleep", "seconds": 0.8, "deaf": True})]
    submit_probes(home, "one", probes)
    with working(home):
        told_process(home)
        with Queue(home.queue_db) as queue:
            queue.request_cancel(experiment="one")
        time.sleep(0.2)
        submit_probes(home, "one", probes)
        until(lambda: len(home.job("train-1").attempts()) == 2)
    assert outcomes(home) == ["lost", "done"]
    assert states(home) == {"train-1": "done"}


def test_pause_saves_and_resume_goes_on(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", does={"do": "steps", "steps": 30, "seconds": 0.02})])
    with working(home):
        until((home.job("train-1").attempt(1).checkpoints / "pointer.json").exists)
        order(home, "pause", "train-1")
    assert states(home) == {"train-1": "paused"}
    order(home, "resume", "train-1")
    assert work(home) == 0
    assert outcomes(home) == ["preempted", "done"]
    lines = [attempt.journal.read_text().splitlines() for attempt in home.job("train-1").attempts()]
    assert len(lines[0]) + len(lines[1]) == 30, "no step was done twice"
