"""The queue made anew from experiments/ and jobs/."""

from __future__ import annotations

import json
import shutil

import pytest

from engine.errors import HomeError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch.process import is_alive
from engine.schedule.worker import rebuild_queue, scheduler_alive
from engine.schedule.worker.rebuild import heal_queue, newest_records
from store.queue import Queue
from tests.helpers.queueing import Probe, make_record, states, submit_probes, told_process, until
from tests.schedule.worker.working import order, start_worker, work, working


def test_the_queue_made_anew_says_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.schedule.policy.FIRST_WAIT", 0.02)
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


# What folders tell, without a process ---------------------------------------------------------------------------------


def leave_attempt(home: Home, number: int, at: float | None, job: str = "train-1", **words: object) -> None:
    """Leave an attempt's folder, with its outcome if it has ended."""
    folder = home.job(job).attempt(number)
    folder.root.mkdir(parents=True)
    if at is not None:
        told = {"outcome": "crashed", "state": "queued", "spent": {"crashed": 1}, "reason": "burst", "ended_at": at}
        write_json(folder.outcome, told | words)


def give(home: Home, verb: str, at: float, job: str = "train-1") -> None:
    with open(home.job(job).control, "a") as handle:
        handle.write(json.dumps({"order": verb, "at": at}) + "\n")


def put_record(home: Home, at: float, *probes: Probe, name: str = "one") -> None:
    """Write a submission down as its command does, and queue nothing."""
    for probe in probes:
        home.job(probe.job).root.mkdir(parents=True, exist_ok=True)
        write_json(home.job(probe.job).spec, {"kind": probe.kind})
    home.experiment(name).mkdir(parents=True, exist_ok=True)
    write_json(home.experiment(name) / f"{len(home.records(name)) + 1}.json", make_record(name, probes, at=at))


def spent(home: Home, job: str = "train-1") -> tuple[int, int, int]:
    """Return crashed, lost, ooms of a job that is queued."""
    with Queue(home.queue_db) as queue:
        queue.adopt(job, 99, "cpu:0", boot_id="", expires=0.0, now=1.0)
        (row,) = [row for row in queue.running() if row.job == job]
    return row.crashed, row.lost, row.ooms


def test_what_attempts_spent_comes_back(home: Home) -> None:
    put_record(home, 10.0, Probe("train-1"))
    leave_attempt(home, 9, 20.0, spent={"crashed": 1, "lost": 2})
    leave_attempt(home, 10, 30.0, spent={"ooms": 4})
    leave_attempt(home, 2, 9.9)
    leave_attempt(home, 3, 15.0, spent="nothing", ended_at="never")
    assert rebuild_queue(home) == 1
    with Queue.open_readonly(home.queue_db) as queue:
        assert [(row.attempt, row.reason) for row in queue.attempt_rows()] == [(n, "burst") for n in (2, 3, 9, 10)]
        assert queue.job_rows(["train-1"])[0].attempts == 10, "ten comes after nine"
    assert spent(home) == (1, 2, 4), "what came before the submission is forgiven"


def test_a_retry_forgives_what_came_before_it(home: Home) -> None:
    put_record(home, 10.0, Probe("train-1"))
    leave_attempt(home, 1, 20.0, state="failed")
    give(home, "retry", 25.0)
    rebuild_queue(home)
    assert states(home) == {"train-1": "queued"}
    assert spent(home) == (0, 0, 0)


def test_a_failure_after_a_retry_counts(home: Home) -> None:
    put_record(home, 10.0, Probe("train-1"))
    give(home, "retry", 15.0)
    leave_attempt(home, 1, 20.0, state="failed")
    rebuild_queue(home)
    with Queue.open_readonly(home.queue_db) as queue:
        (row,) = queue.job_rows(["train-1"])
    assert (row.state, row.reason) == ("failed", "burst")


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_job_that_was_given_up_stays_so(home: Home, state: str) -> None:
    put_record(home, 10.0, Probe("train-1"))
    leave_attempt(home, 1, 20.0, state=state)
    rebuild_queue(home)
    assert states(home) == {"train-1": state}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([("pause", 9.0)], "queued"),
        ([("pause", 10.0)], "paused"),
        ([("pause", 11.0)], "paused"),
        ([("pause", 11.0), ("resume", 12.0)], "queued"),
        ([("cancel", 11.0)], "cancelled"),
        ([("cancel", 11.0), ("retry", 12.0)], "queued"),
        ([("retry", 11.0), ("cancel", 12.0)], "cancelled"),
    ],
)
def test_orders_since_the_submission_are_given_again(home: Home, given: list[tuple[str, float]], expected: str) -> None:
    put_record(home, 10.0, Probe("train-1"))
    home.job("train-1").control.write_text('{"order": "canc\n[]\n{"order": "cancel", "at": "now"}\n{"at": 99}\n')
    for verb, at in given:
        give(home, verb, at)
    rebuild_queue(home)
    assert states(home) == {"train-1": expected}


def test_an_attempt_that_nobody_judged_counts_as_running(home: Home) -> None:
    put_record(home, 10.0, Probe("train-1"), Probe("train-2"), Probe("train-3"))
    leave_attempt(home, 1, 20.0)
    leave_attempt(home, 2, None)
    write_json(home.job("train-1").attempt(2).handle, {"slot": "GPU-5a"})
    leave_attempt(home, 1, None, "train-2")
    home.job("train-2").result.write_text("{}")
    leave_attempt(home, 1, None, "train-3")
    rebuild_queue(home)
    assert states(home) == {"train-1": "running", "train-2": "done", "train-3": "running"}
    with Queue.open_readonly(home.queue_db) as queue:
        rows = {row.job: (row.attempt, row.slot, row.boot_id, row.expires) for row in queue.running()}
    assert rows == {"train-1": (2, "GPU-5a", "", 0.0), "train-3": (1, "cpu:0", "", 0.0)}


def test_a_submission_that_was_not_queued_is_healed(home: Home) -> None:
    """Its command was killed between the record and the queue; one that was queued is not submitted again."""
    with Queue(home.queue_db) as queue:
        put_record(home, 10.0, Probe("train-1"))
        heal_queue(home, queue)
        assert queue.job_states() == {"train-1": "queued"}
        queue.request_cancel(["train-1"])
        heal_queue(home, queue)
        assert queue.job_states() == {"train-1": "cancelled"}
        put_record(home, 20.0, Probe("train-1"), Probe("train-2"))
        heal_queue(home, queue)
        assert queue.job_states() == {"train-1": "queued", "train-2": "queued"}
        assert [row.submitted_at for row in queue.experiments()] == [20.0]


def test_the_tenth_submission_is_the_newest(home: Home) -> None:
    for number in range(1, 11):
        put_record(home, float(number), Probe(f"train-{number}"))
    put_record(home, 5.5, Probe("other-1"), name="another")
    assert [record["submitted_at"] for record in newest_records(home)] == [5.5, 10.0]
    assert rebuild_queue(home) == 2
    assert set(states(home)) == {"train-10", "other-1"}


def test_the_log_of_an_old_queue_is_not_taken_for_the_new_ones(home: Home) -> None:
    """A -wal that lies beside the new file would be read into it."""
    put_record(home, 10.0, Probe("train-1"))
    rebuild_queue(home)
    parts = [home.queue_db.with_name(home.queue_db.name + ending) for ending in ("-wal", "-shm")]
    with Queue(home.queue_db) as queue:
        queue.request_cancel(["train-1"])
        kept = [part.read_bytes() for part in parts]
    home.queue_db.write_bytes(b"this is no database" * 500)
    for part, content in zip(parts, kept, strict=True):
        part.write_bytes(content)
    assert len(kept[0]) > 0
    rebuild_queue(home)
    assert [part for part in parts if part.exists()] == []
    assert states(home) == {"train-1": "queued"}
    assert [path.name for path in home.root.glob(".queue*")] == []


def test_what_a_killed_rebuild_left_is_cleared(home: Home) -> None:
    put_record(home, 10.0, Probe("train-1"))
    home.queue_db.with_name(".queue.db.tmp").write_bytes(b"half of a database")
    assert rebuild_queue(home) == 1
    assert [path.name for path in home.root.glob(".queue*")] == []


def test_the_lock_is_free_after_a_rebuild(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.schedule.worker.lock.TAKE_SECONDS", 0.02)
    monkeypatch.setattr("engine.schedule.worker.rebuild.make_queue", lambda home: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rebuild_queue(home)
    assert not scheduler_alive(home)
