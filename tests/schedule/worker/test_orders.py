"""What people ask of jobs that run: cancel, pause, resume, and second thoughts."""

from __future__ import annotations

import signal
from dataclasses import replace

from engine.home.paths import Home
from engine.launch.local import LocalLauncher
from engine.launch.process import session_members, signal_process
from store.queue import Queue
from tests.helpers.queueing import PROBE, Probe, states, submit_probes, told_process, until
from tests.schedule.worker.working import QUICK, order, outcomes, work, working


def test_cancel_returns_the_machine_and_leaves_no_process(home: Home) -> None:
    """When the grace is over, on a clock, is in tests/launch/test_local_looking.py."""
    does = {"do": "sleep", "seconds": 60, "deaf": True, "child": True}
    submit_probes(home, "one", [Probe("train-1", does=does), Probe("train-2")])
    with working(home):
        pid, _ = told_process(home)
        until(lambda: len(session_members(pid)) == 2)
        order(home, "cancel", "train-1", "train-2")
        until(lambda: states(home)["train-1"] == "cancelled" and session_members(pid) == [])
    assert outcomes(home) == ["cancelled"]
    assert outcomes(home, "train-2") == []


def test_who_submits_again_while_a_cancelled_job_is_still_ending_gets_it_done(home: Home) -> None:
    """The job is deaf and its grace is long, so that the second submission comes between the request and the end."""
    go = home.root / "go"
    probes = [Probe("train-1", does={"do": "sleep", "go": str(go), "deaf": True})]
    submit_probes(home, "one", probes)
    made: list[LocalLauncher] = []

    def launcher() -> LocalLauncher:
        made.append(LocalLauncher(PROBE))
        return made[0]

    with working(home, launcher=launcher, patience=replace(QUICK, grace=600.0)):
        pid, start = told_process(home)
        with Queue(home.queue_db) as queue:
            queue.request_cancel(experiment="one")
        until(lambda: any(known.asked for known in [*made[0].attempts.values()]))
        submit_probes(home, "one", probes)
        signal_process(pid, start, signal.SIGKILL)
        until(lambda: len(home.job("train-1").attempts()) == 2)
        go.touch()
    assert outcomes(home) == ["lost", "done"]
    assert states(home) == {"train-1": "done"}


def test_pause_saves_and_resume_goes_on(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", does={"do": "steps", "steps": 30, "seconds": 0.0, "hold": 3})])
    with working(home):
        until((home.job("train-1").attempt(1).checkpoints / "pointer.json").exists)
        order(home, "pause", "train-1")
    assert states(home) == {"train-1": "paused"}
    order(home, "resume", "train-1")
    assert work(home) == 0
    assert outcomes(home) == ["preempted", "done"]
    lines = [attempt.journal.read_text().splitlines() for attempt in home.job("train-1").attempts()]
    assert len(lines[0]) + len(lines[1]) == 30, "no step was done twice"
