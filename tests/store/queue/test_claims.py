"""The scheduler's side: who waits, what is ready, leases, verdicts and what they spend."""

from __future__ import annotations

import pytest

from store.queue import AttemptRow, Claim, Queue, RunningRow, Verdict
from store.queue.claims import WaitingRow
from tests.helpers.queueing import Probe, make_record
from tests.store.queue.leasing import DONE, PAIR, end, look, ready, submit, take


def test_a_job_is_leased_once_and_judged_once(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-1")]))
    assert take(queue, "train-1")
    assert not take(queue, "train-1", attempt=2)
    assert queue.finish("train-1", 1, Verdict("lost", "queued", spent={"lost": 1}), 2.0) == "queued"
    assert queue.finish("train-1", 1, DONE, 3.0) is None
    assert not take(queue, "train-1", attempt=1), "an attempt's number is never used again"
    assert take(queue, "train-1", attempt=2)
    assert queue.running()[0].lost == 1


def test_back_off_hides_a_job_until_its_time(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-1")]))
    assert take(queue, "train-1")
    queue.finish("train-1", 1, Verdict("crashed", "queued", "broke", 1, wait=4.0), now=98.0)
    assert ready(queue) == []
    assert queue.has_work()
    assert queue.next_wake(now=100.0) == 2.0
    assert [claim.job for claim in queue.ready_jobs("one", now=103.0)] == ["train-1"]


def test_a_clock_set_back_by_an_hour_makes_no_back_off_longer(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-1")]))
    assert take(queue, "train-1")
    queue.finish("train-1", 1, Verdict("crashed", "queued", "broke", 1, wait=4.0), now=10_000.0)
    assert queue.next_wake(now=6_400.0) == 0.0
    assert [claim.job for claim in queue.ready_jobs("one", now=6_400.0)] == ["train-1"]


def test_dependants_of_a_failed_job_stay_blocked_and_the_run_failed(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    assert take(queue, "pack-1")
    queue.finish("pack-1", 1, Verdict("crashed", "failed", "no images"), 2.0)
    assert queue.job_states()["train-1"] == "blocked"
    assert {row.state for row in queue.experiment_rows("one")} == {"failed"}
    assert not queue.has_work()
    assert queue.job_rows(["pack-1"])[0].reason == "no images"


def test_a_running_job_that_was_cancelled_or_paused_is_not_queued_again(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-1"), Probe("train-2"), Probe("train-3")]))
    for job in ("train-1", "train-2", "train-3"):
        take(queue, job)
    queue.request_cancel(["train-1", "train-3"])
    queue.request_pause(["train-2"])
    assert {row.job: row.request for row in queue.running()} == {
        "train-1": "cancel",
        "train-2": "pause",
        "train-3": "cancel",
    }
    preempted = Verdict("preempted", "queued", exit=85)
    assert queue.finish("train-1", 1, preempted, 2.0) == "cancelled"
    assert queue.finish("train-2", 1, preempted, 2.0) == "paused"
    assert queue.finish("train-3", 1, DONE, 2.0) == "done", "a committed result counts"
    assert {row.job: row.outcome for row in queue.attempt_rows()} == {
        "train-1": "cancelled",
        "train-2": "preempted",
        "train-3": "done",
    }


def test_experiments_with_ready_jobs_wait_with_their_priority_and_what_runs(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("a"), Probe("b"), Probe("shared")], at=3.0, priority=2))
    queue.add_experiment(make_record("two", [Probe("c"), Probe("shared")], at=4.0, priority=-1))
    queue.add_experiment(make_record("idle", [Probe("d")], at=5.0))
    for job in ("a", "shared", "d"):
        assert take(queue, job)
    found = sorted(queue.waiting(), key=lambda row: row.experiment)
    assert found == [WaitingRow("one", 2, 3.0, 2), WaitingRow("two", -1, 4.0, 1)]


def test_claim_holds_what_a_launch_needs(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("prune-1", does={"x": [1]}, cost=7.5, kind="prune")]))
    for attempt in (1, 2, 3):
        end(queue, "prune-1", Verdict("oom", "queued", spent={"ooms": int(attempt > 1)}), attempt)
    (claim,) = queue.ready_jobs("one", now=100.0)
    assert claim == Claim("prune-1", "prune", "one", {"x": [1]}, 7.5, 3, 2, experiments=("one",))


def test_as_many_jobs_are_ready_as_asked_in_the_order_of_their_ids(queue: Queue) -> None:
    submit(queue, *(f"train-{number}" for number in (3, 1, 2)))
    assert [claim.job for claim in queue.ready_jobs("one", now=1.0, most=2)] == ["train-1", "train-2"]


@pytest.mark.parametrize(("spent", "found"), [("crashed", (2, 0, 0)), ("lost", (0, 2, 0)), ("ooms", (0, 0, 2))])
def test_each_budget_is_counted_by_itself(queue: Queue, spent: str, found: tuple[int, int, int]) -> None:
    submit(queue, "train-1")
    for attempt in (1, 2):
        end(queue, "train-1", Verdict("crashed", "queued", spent={spent: 1}), attempt)
    assert take(queue, "train-1", 3)
    (row,) = queue.running()
    assert (row.crashed, row.lost, row.ooms) == found


def test_running_attempt_is_told_with_all_that_is_known(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-2", does={"x": 1}), Probe("train-1")]))
    assert queue.lease("train-1", 1, "cpu:1", boot_id="b", expires=9.0, now=8.0)
    assert queue.lease("train-2", 4, "gpu:0", boot_id="boot", expires=60.0, now=7.0)
    queue.request_pause(["train-2"])
    first, second = queue.running()
    assert first == RunningRow("train-2", "train", 4, "gpu:0", {"x": 1}, "pause", 7.0, "boot", 60.0, 0, 0, 0)
    assert second.job == "train-1", "the oldest comes first"


def test_lease_clears_what_the_attempt_before_left(queue: Queue) -> None:
    submit(queue, "train-1")
    end(queue, "train-1", Verdict("crashed", "queued", "broke"))
    assert take(queue, "train-1", 2, now=5.0)
    (row,) = queue.job_rows(["train-1"])
    assert (row.state, row.reason, row.attempts, row.started_at, row.ended_at) == ("running", "", 2, 5.0, None)
    assert ready(queue) == []


def test_leases_of_attempts_that_were_seen_are_renewed_and_no_others(queue: Queue) -> None:
    submit(queue, "a", "b", "c")
    for job in ("a", "b", "c"):
        take(queue, job)
    queue.renew([("a", 1), ("b", 2)], "later", 99.0)
    queue.renew([], "never", 0.0)
    assert [(row.job, row.boot_id, row.expires) for row in queue.running()] == [
        ("a", "later", 99.0),
        ("b", "boot", 60.0),
        ("c", "boot", 60.0),
    ]


def test_verdict_is_written_to_the_job_and_to_its_attempt(queue: Queue) -> None:
    submit(queue, "train-1")
    end(queue, "train-1", Verdict("lost", "queued", "gone"))
    assert take(queue, "train-1", 2, now=3.0)
    assert queue.finish("train-1", 2, Verdict("crashed", "failed", "broke", 7), 4.0) == "failed"
    assert queue.attempt_rows() == [
        AttemptRow("train-1", 1, "cpu:0", 1.0, 2.0, "lost", None, "gone"),
        AttemptRow("train-1", 2, "cpu:0", 3.0, 4.0, "crashed", 7, "broke"),
    ]
    (row,) = queue.job_rows()
    assert (row.state, row.reason, row.ended_at) == ("failed", "broke", 4.0)


def test_verdict_on_one_job_leaves_the_others_alone(queue: Queue) -> None:
    submit(queue, "a", "b")
    take(queue, "a")
    take(queue, "b")
    assert queue.finish("a", 2, DONE, 2.0) is None, "an attempt that does not run"
    assert queue.finish("a", 1, DONE, 2.0) == "done"
    assert queue.job_states() == {"a": "done", "b": "running"}
    assert [row.job for row in queue.running()] == ["b"]


def test_verdict_without_a_wait_has_no_back_off(queue: Queue) -> None:
    submit(queue, "train-1")
    end(queue, "train-1", Verdict("lost", "queued"))
    assert queue.next_wake(now=1.0) is None
    assert ready(queue) == ["train-1"]


@pytest.mark.parametrize(
    ("request_", "state", "found"),
    [
        ("cancel", "queued", ("cancelled", "cancelled")),
        ("cancel", "failed", ("cancelled", "cancelled")),
        ("cancel", "done", ("done", "crashed")),
        ("pause", "queued", ("paused", "crashed")),
        ("pause", "failed", ("failed", "crashed")),
        ("pause", "done", ("done", "crashed")),
    ],
)
def test_request_counts_where_the_job_would_go_on(
    queue: Queue, request_: str, state: str, found: tuple[str, str]
) -> None:
    submit(queue, "train-1")
    take(queue, "train-1")
    {"cancel": queue.request_cancel, "pause": queue.request_pause}[request_](["train-1"])
    assert queue.finish("train-1", 1, Verdict("crashed", state), 2.0) == found[0]
    assert queue.attempt_rows()[0].outcome == found[1]
    assert queue.job_rows()[0].request == "", "it was obeyed"


def test_back_off_ends_when_its_time_comes_and_the_nearest_counts(queue: Queue) -> None:
    submit(queue, "a", "b", "c")
    for job, wait in (("a", 50.0), ("b", 30.0), ("c", 118.0)):
        end(queue, job, Verdict("crashed", "queued", wait=wait))  # at 2.0
    assert queue.next_wake(now=2.0) == 30.0
    assert queue.next_wake(now=40.0) == 0.0
    assert [claim.job for claim in queue.ready_jobs("one", now=31.9)] == []
    assert [claim.job for claim in queue.ready_jobs("one", now=32.0)] == ["b"]
    assert [claim.job for claim in queue.ready_jobs("one", now=0.0)] == [], "120 seconds ahead is not too far"
    assert [claim.job for claim in queue.ready_jobs("one", now=-0.5)] == ["c"]
    assert queue.next_wake(now=-0.5) == 0.0


def test_back_off_of_a_job_that_is_not_queued_wakes_nobody(queue: Queue) -> None:
    submit(queue, "a")
    end(queue, "a", Verdict("crashed", "queued", wait=5.0))
    queue.request_pause(["a"])
    assert queue.next_wake(now=2.0) is None


def test_work_is_what_runs_or_is_ready(queue: Queue) -> None:
    assert not queue.has_work()
    submit(queue, "a")
    assert queue.has_work()
    take(queue, "a")
    assert queue.has_work()
    queue.finish("a", 1, DONE, 2.0)
    assert not queue.has_work()


def test_attempt_is_restored_as_its_folder_tells_it(queue: Queue) -> None:
    submit(queue, "train-1")
    told = {"slot": "gpu:1", "started_at": 3.0, "ended_at": 4.0, "outcome": "crashed", "exit": 7, "reason": "broke"}
    queue.restore_attempt("train-1", 1, told)
    queue.restore_attempt("train-1", 2, {})
    assert queue.attempt_rows() == [
        AttemptRow("train-1", 1, "gpu:1", 3.0, 4.0, "crashed", 7, "broke"),
        AttemptRow("train-1", 2, "", 0.0, None, "lost", None, ""),
    ]


def test_adopted_attempt_runs_and_is_no_longer_ready(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    queue.adopt("pack-1", 3, "cpu:2", boot_id="boot", expires=60.0, now=7.0)
    (row,) = queue.running()
    assert (row.job, row.attempt, row.slot, row.started_at, row.boot_id, row.expires) == (
        "pack-1", 3, "cpu:2", 7.0, "boot", 60.0,
    )  # fmt: skip
    (job,) = queue.job_rows(["pack-1"])
    assert (job.state, job.attempts, job.started_at) == ("running", 3, 7.0)
    assert queue.job_states()["train-1"] == "blocked", "another job is not adopted"
    assert ready(queue) == []


def test_restored_columns_settle_the_job_and_no_other(queue: Queue) -> None:
    submit(queue, "a", "b")
    queue.restore_job("a", state="failed", crashed=3, reason="broke")
    assert queue.job_states() == {"a": "failed", "b": "queued"}
    assert ready(queue) == ["b"]
    assert look(queue.path, "SELECT crashed, reason FROM jobs ORDER BY job") == [(3, "broke"), (0, "")]
