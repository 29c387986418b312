"""The scheduler whole: real processes, real kills, two at once, orders while jobs run, and the queue made anew."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.errors import HomeError
from engine.home import Home
from engine.launch import Handle, State, Status
from engine.launch.local import LocalLauncher
from engine.launch.process import is_alive, session_members
from engine.worker import Patience, rebuild_queue, run_worker, scheduler_alive, start_detached
from store.queue import Queue
from tests.queueing import PROBE, Probe, faults, make_home, states, submit_probes

ROOT = Path(__file__).parent.parent
QUICK = Patience(grace=0.5, lease=0.4, stuck=0.6, unseen=0.3, look=0.02, beat=0.05)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = make_home(tmp_path)
    yield made
    assert faults(made) == []


def work(home: Home, slots: int = 1, **words: Any) -> int:
    return run_worker(home, slots, until_idle=True, preload=PROBE, **{"collect": None, "patience": QUICK, **words})


@contextmanager
def working(home: Home, slots: int = 1, **words: Any) -> Iterator[None]:
    """A scheduler beside the test, that ends when it is idle; leaving waits for that."""
    thread = threading.Thread(target=work, args=(home, slots), kwargs=words, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
        assert not thread.is_alive()


def start_worker(home: Home) -> subprocess.Popen[bytes]:
    words = ["-m", "engine.worker", "--home", str(home.root), "--until-idle", "--preload", PROBE, "--no-collect"]
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.DEVNULL)


def until(holds: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def told_process(home: Home, job: str = "train-1", attempt: int = 1) -> tuple[int, int]:
    path = home.job(job).attempt(attempt).handle
    until(path.exists)
    told = json.loads(path.read_text())
    return told["pid"], told["start_time"]


def outcomes(home: Home, job: str = "train-1") -> list[str | None]:
    with Queue.open_readonly(home.queue_db) as queue:
        return [row.outcome for row in queue.attempt_rows([job])]


def reason(home: Home, job: str = "train-1") -> str:
    with Queue.open_readonly(home.queue_db) as queue:
        return queue.job_rows([job])[0].reason


def order(home: Home, verb: str, *jobs: str) -> None:
    with Queue(home.queue_db) as queue:
        getattr(queue, f"request_{verb}")(jobs)
    for job in jobs:
        with open(home.job(job).control, "a") as handle:
            handle.write(json.dumps({"order": verb, "at": time.time()}) + "\n")


def test_jobs_run_after_what_they_need_and_each_once(home: Home) -> None:
    submit_probes(
        home, "one", [Probe("pack-1"), Probe("train-1", ("pack-1",)), Probe("train-2", ("pack-1",), cost=9.0)]
    )
    collected: list[Home] = []
    assert work(home, collect=collected.append) == 0
    assert set(states(home).values()) == {"done"}
    with Queue.open_readonly(home.queue_db) as queue:
        rows = sorted(queue.attempt_rows(), key=lambda row: row.started_at)
        assert [row.job for row in rows] == ["pack-1", "train-2", "train-1"]
        assert {run.state for run in queue.experiment_rows("one")} == {"done"}
    outcome = json.loads(home.job("pack-1").attempt(1).outcome.read_text())
    assert (outcome["outcome"], outcome["exit"], outcome["slot"]) == ("done", 0, "cpu:0")
    assert collected[-1] is home
    assert not home.scheduler_file.exists()


def test_a_collector_that_fails_stops_no_job(home: Home) -> None:
    def broken(_: Home) -> None:
        raise OSError("locked")

    submit_probes(home, "one", [Probe("train-1")])
    assert work(home, collect=broken) == 0
    assert states(home) == {"train-1": "done"}


def test_a_crashing_job_is_tried_again_and_then_failed_with_its_last_line(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.schedule.FIRST_WAIT", 0.05)
    probes = [
        Probe("train-1", does={"do": "crash"}),
        Probe("measure-1", ("train-1",)),
        Probe("train-2", does={"do": "crash", "times": 1}),
    ]
    submit_probes(home, "one", probes)
    assert work(home) == 0
    assert states(home) == {"train-1": "failed", "measure-1": "blocked", "train-2": "done"}
    assert outcomes(home) == ["crashed"] * 3
    assert "the probe was told to crash" in reason(home)
    with Queue.open_readonly(home.queue_db) as queue:
        found = {run.run: run.state for run in queue.experiment_rows("one")}
    assert found == {"run-train-1": "failed", "run-measure-1": "failed", "run-train-2": "done"}


@pytest.mark.parametrize(("status", "expected"), [(85, "preempted"), (86, "oom"), (87, "nan"), (88, "crashed")])
def test_every_exit_status_has_its_outcome(
    home: Home, status: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.schedule.FIRST_WAIT", 0.01)
    submit_probes(home, "one", [Probe("train-1", does={"do": "exit", "exit": status})])
    assert work(home) == 0
    assert set(outcomes(home)) == {expected}
    assert states(home) == {"train-1": "failed"}


def test_a_result_on_disk_counts_whatever_the_queue_says(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    home.job("train-1").result.write_text('{"attempt": 1}')
    assert work(home) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
    assert outcomes(home) == []


def test_a_job_without_its_folder_fails_with_the_reason(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    home.job("train-1").spec.unlink()
    assert work(home) == 0
    assert "its folder is gone" in reason(home)


def test_a_job_folder_deleted_under_its_job_is_a_clear_failure_and_a_new_submission_mends_it(home: Home) -> None:
    probes = [Probe("train-1", does={"do": "steps", "steps": 30, "seconds": 0.02})]
    submit_probes(home, "one", probes)
    with working(home):
        until((home.job("train-1").attempt(1).checkpoints / "pointer.json").exists)
        shutil.rmtree(home.job("train-1").root, ignore_errors=True)
    assert states(home) == {"train-1": "failed"}
    assert "its folder is gone" in reason(home)
    submit_probes(home, "one", probes)
    assert work(home) == 0
    assert states(home) == {"train-1": "done"}


def test_a_full_disk_stops_nothing_for_good(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room: nothing starts and the scheduler stays; room again: it goes on."""
    room: list[bool] = [False]
    monkeypatch.setattr("engine.worker.loop.has_room", lambda _: room[0])
    submit_probes(home, "one", [Probe("train-1")])
    with working(home):
        time.sleep(0.5)
        assert states(home) == {"train-1": "queued"}
        room[0] = True
    assert states(home) == {"train-1": "done"}


def test_a_crash_for_want_of_room_spends_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.worker.loop.NO_SPACE", "told to crash")
    submit_probes(home, "one", [Probe("train-1", does={"do": "crash"})])
    with working(home):
        until(lambda: outcomes(home) == ["crashed"])
        until(lambda: "disk is full" in reason(home))
        with Queue.open_readonly(home.queue_db) as queue:
            assert queue.next_wake(time.time()) is not None
        order(home, "cancel", "train-1")


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


def test_a_damaged_queue_is_made_anew(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    assert work(home) == 0
    home.queue_db.write_bytes(b"this is no database" * 500)
    assert work(home) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}


def test_a_job_killed_again_and_again_goes_on_from_its_checkpoints(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", does={"do": "steps", "steps": 40, "seconds": 0.01})])
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
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "seconds": 1.0}), Probe("train-2")])
    first = start_worker(home)
    pid, start = told_process(home)
    first.kill()
    first.wait()
    assert is_alive(pid, start)
    assert work(home) == 0
    assert outcomes(home) == ["done"], "the same process, not a second one"
    assert states(home) == {"train-1": "done", "train-2": "done"}


def test_a_job_that_ended_while_nobody_watched_keeps_its_exit_status(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "seconds": 30})])
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
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "seconds": 1.0}), Probe("train-2", cost=0.5)])
    made: list[LocalLauncher] = []

    def launcher() -> LocalLauncher:
        made.append(LocalLauncher(PROBE))
        return made[0]

    with working(home, launcher=launcher):
        told_process(home)
        server = made[0].server
        assert server is not None
        os.kill(server.process.pid, signal.SIGKILL)
    assert outcomes(home) == ["done"]
    assert outcomes(home, "train-2") == ["done"]


def test_two_schedulers_at_once_do_everything_once(home: Home) -> None:
    submit_probes(home, "one", [Probe(f"train-{number}") for number in range(8)])
    both = [start_worker(home), start_worker(home)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert set(states(home).values()) == {"done"}
    assert [len(home.job(f"train-{number}").attempts()) for number in range(8)] == [1] * 8


def test_a_scheduler_asked_to_end_leaves_its_jobs_and_its_lock(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "seconds": 30})])
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
    assert process.wait(10) == 130
    assert is_alive(pid, start)
    assert not scheduler_alive(home)
    with working(home):
        order(home, "cancel", "train-1")
    assert states(home) == {"train-1": "cancelled"}
    assert not is_alive(pid, start)


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
        assert session_members(pid) == []
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


def test_a_step_that_stands_still_is_stopped_with_its_stack_in_the_log(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.schedule.FIRST_WAIT", 0.05)
    submit_probes(home, "one", [Probe("train-1", does={"do": "still"})])
    assert work(home) == 0
    assert outcomes(home) == ["stuck", "done"]
    assert "stand_still" in home.job("train-1").attempt(1).log.read_text()


def test_a_measure_job_runs_beside_nothing(home: Home) -> None:
    probes = [Probe(f"train-{number}", does={"do": "sleep", "seconds": 0.15}, cost=9.0) for number in range(3)]
    submit_probes(home, "one", [*probes, Probe("measure-1", kind="measure", does={"do": "sleep", "seconds": 0.1})])
    assert work(home, slots=2) == 0
    with Queue.open_readonly(home.queue_db) as queue:
        rows = {row.job: (row.started_at, row.ended_at or 0.0) for row in queue.attempt_rows()}
    begin, end = rows.pop("measure-1")
    assert all(other_end <= begin or other_begin >= end for other_begin, other_end in rows.values())
    assert rows["train-0"][0] < rows["train-1"][1], "the others did run two at a time"


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
    submit_probes(home, "one", [Probe("train-1", does={"do": "sleep", "seconds": 0.6})])
    with working(home, launcher=lambda: BlindLauncher(PROBE)):
        pid, start = told_process(home)
        os.kill(pid, signal.SIGSTOP)
    assert outcomes(home) == ["lost", "done"]
    before = home.job("train-1").result.read_bytes()
    os.kill(pid, signal.SIGCONT)
    until(lambda: not is_alive(pid, start))
    until(home.job("train-1").attempt(1).result.exists)
    assert home.job("train-1").result.read_bytes() == before
    assert json.loads(before)["attempt"] == 2
    assert outcomes(home) == ["lost", "done"]


def test_an_idle_scheduler_looks_once_more_before_it_leaves(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    serve = run_worker.__globals__["_serve"]
    rounds: list[int] = []

    def serve_and_be_late(*words: Any) -> None:
        serve(*words)
        if not rounds:
            submit_probes(home, "two", [Probe("train-2")])
        rounds.append(1)

    monkeypatch.setitem(run_worker.__globals__, "_serve", serve_and_be_late)
    assert work(home) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
    assert len(rounds) == 2


def test_a_detached_scheduler_does_the_work_and_leaves(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", does={"do": "sleep", "seconds": 0.5})])
    start_detached(home, preload=PROBE, collects=False)
    until(lambda: scheduler_alive(home))
    start_detached(home, preload=PROBE, collects=False)
    until(lambda: set(states(home).values()) == {"done"})
    until(lambda: not scheduler_alive(home))
    assert home.scheduler_log.read_text().count("started on") == 2


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
