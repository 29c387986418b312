"""Kills and cuts: of the job, the scheduler, the fork server, of two at once, and of one that comes back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.collect import collect
from engine.errors import HomeError
from engine.home.paths import Home
from engine.launch import Handle, State, Status
from engine.launch.local import LocalLauncher
from engine.launch.process import is_alive
from engine.schedule.worker import run_worker, scheduler_alive
from store.queue import Queue
from store.results import open_snapshot
from tests.chaos.chain_job import straight, visible_steps
from tests.helpers.queueing import PROBE, Probe, states, submit_probes, told_process, until
from tests.schedule.worker.working import QUICK, order, outcomes, start_worker, work, working

CHAIN = "tests.chaos.chain_job"


def test_a_job_killed_again_and_again_goes_on_from_its_checkpoints(home: Home) -> None:
    submit_probes(
        home, "one", [Probe("train-1", does={"do": "steps", "steps": 40, "seconds": 0.0, "hold": 3, "held": 3})]
    )
    with working(home):
        for attempt in (1, 2, 3):
            pid, _ = told_process(home, attempt=attempt)
            until((home.job("train-1").attempt(attempt).checkpoints / "pointer.json").exists)
            os.kill(pid, signal.SIGKILL)
    assert outcomes(home) == ["lost", "lost", "lost", "done"]
    steps = [
        json.loads(line)["step"]
        for attempt in home.job("train-1").attempts()
        for line in attempt.journal.read_text().splitlines()
    ]
    assert sorted(set(steps)) == list(range(1, 41))
    with Queue.open_readonly(home.queue_db) as queue:
        assert queue.job_rows(["train-1"])[0].state == "done"


def test_a_killed_scheduler_is_followed_by_one_that_takes_over_what_runs(home: Home) -> None:
    go = home.root / "go"
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "go": str(go)}), Probe("train-2")])
    first = start_worker(home)
    pid, start = told_process(home)
    first.kill()
    first.wait()
    assert is_alive(pid, start)
    go.touch()
    assert work(home) == 0
    assert outcomes(home) == ["done"], "the same process, not a second one"
    assert states(home) == {"train-1": "done", "train-2": "done"}


def test_a_job_that_ended_while_nobody_watched_keeps_its_exit_status(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "seconds": 600})])
    first = start_worker(home)
    pid, start = told_process(home)
    first.kill()
    first.wait()
    os.kill(pid, signal.SIGTERM)
    until(lambda: not is_alive(pid, start))
    until(lambda: "exit" in json.loads(home.job("train-1").attempt(1).handle.read_text()))
    with working(home):
        until(lambda: len(home.job("train-1").attempts()) == 2)
        assert outcomes(home)[0] == "preempted"
        order(home, "cancel", "train-1")


def test_a_killed_fork_server_costs_no_job(home: Home) -> None:
    go = home.root / "go"
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "go": str(go)}), Probe("train-2", cost=0.5)])
    made: list[LocalLauncher] = []

    def launcher() -> LocalLauncher:
        made.append(LocalLauncher(PROBE))
        return made[0]

    with working(home, launcher=launcher):
        told_process(home)
        server = made[0].server
        assert server is not None
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        go.touch()
    assert outcomes(home) == ["done"]
    assert outcomes(home, "train-2") == ["done"]


def test_two_schedulers_at_once_do_everything_once(home: Home) -> None:
    submit_probes(home, "one", [Probe(f"train-{number}") for number in range(8)])
    both = [start_worker(home), start_worker(home)]
    assert [process.wait(240) for process in both] == [0, 0]
    assert set(states(home).values()) == {"done"}
    assert [len(home.job(f"train-{number}").attempts()) for number in range(8)] == [1] * 8


def test_a_scheduler_asked_to_end_leaves_its_jobs_and_its_lock(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "seconds": 600})])
    process = start_worker(home)
    pid, start = told_process(home)
    assert scheduler_alive(home)
    with pytest.raises(HomeError, match="already works here"):
        run_worker(home, preload=PROBE, collect=None)
    assert work(home) == 0, "one that works until idle leaves it to the other"
    locked = os.stat(home.scheduler_lock).st_ino
    held = [os.stat(f"/proc/{pid}/fd/{name}").st_ino for name in os.listdir(f"/proc/{pid}/fd")]
    assert locked not in held, "no child inherits the lock"
    process.terminate()
    assert process.wait(120) == 130
    assert is_alive(pid, start)
    assert not scheduler_alive(home)
    with working(home):
        order(home, "cancel", "train-1")
    assert states(home) == {"train-1": "cancelled"}
    assert not is_alive(pid, start)


class BlindLauncher(LocalLauncher):
    """After the first sight of an attempt it can no longer be seen or stopped, as on a node that was cut off."""

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Status]:
        seen = super().poll(handles)
        return {
            handle: Status(State.UNKNOWN) if handle.attempt == 1 and status.state == State.RUNNING else status
            for handle, status in seen.items()
        }

    def stop(self, handle: Handle, grace: float) -> None:
        return


def test_a_zombie_attempt_ends_and_nothing_of_it_shows(home: Home) -> None:
    """Stopped past its lease, taken over, woken again: it writes lines, checkpoints and a result that nobody sees."""
    go = home.root / "go"
    submit_probes(home, "one", [Probe("train-1", does={"steps": 20, "seconds": 0.0, "hold": 3, "go": str(go)})])
    first, second = home.job("train-1").attempt(1), home.job("train-1").attempt(2)
    with working(home, launcher=lambda: BlindLauncher(CHAIN)):
        pid, start = told_process(home)
        until((first.checkpoints / "pointer.json").exists)
        os.kill(pid, signal.SIGSTOP)
    assert outcomes(home) == ["lost", "done"]
    before, rows = home.job("train-1").result.read_bytes(), seen_metrics(home)
    lines = len(first.journal.read_text().splitlines())
    go.touch()
    os.kill(pid, signal.SIGCONT)
    until(lambda: not is_alive(pid, start))
    assert len(first.journal.read_text().splitlines()) > lines, "it did go on to its end"
    assert json.loads(first.result.read_text())["weights_sha256"] == straight("train-1", 20)
    assert not os.path.samefile(first.result, home.job("train-1").result)
    assert os.path.samefile(second.result, home.job("train-1").result)
    assert home.job("train-1").result.read_bytes() == before
    assert json.loads(before)["weights_sha256"] == straight("train-1", 20)
    assert sorted(visible_steps(home, "train-1")) == list(range(1, 21))
    assert seen_metrics(home) == rows
    assert [step for name, step in rows if name == "train_loss"] == list(range(1, 21))
    assert outcomes(home) == ["lost", "done"]


def seen_metrics(home: Home) -> list[tuple[str, int]]:
    """Return (name, step) of every metric that a query sees, journals read anew."""
    collect(home, wait=60.0)
    with open_snapshot(home.root) as snapshot:
        return snapshot.execute("SELECT name, step FROM metrics ORDER BY ALL").fetchall()


def test_a_step_that_stands_still_is_stopped_with_its_stack_in_the_log(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.schedule.policy.FIRST_WAIT", 0.05)
    submit_probes(home, "one", [Probe("train-1", does={"do": "still"})])
    assert work(home, patience=replace(QUICK, stuck=1.0)) == 0
    assert outcomes(home) == ["stuck", "done"]
    assert "stand_still" in home.job("train-1").attempt(1).log.read_text()
