"""A person's side: cancel, pause, resume, retry, priority, and whose jobs they touch."""

from __future__ import annotations

from store.queue import Queue, Verdict
from tests.helpers.queueing import Probe, make_record
from tests.store.queue.leasing import DONE, PAIR, end, look, ready, submit, take

FAILED = Verdict("crashed", "failed", "broke", spent={"crashed": 1, "lost": 2, "ooms": 3}, wait=9.0)


def every_state(queue: Queue) -> None:
    """One job in each state, `a` and `b` running, `b` with its pause ahead."""
    queue.add_experiment(
        make_record(
            "one",
            [
                *(Probe(job) for job in ("a", "b", "done", "failed", "gone", "paused", "queued")),
                Probe("wait", ("queued",)),
            ],
        )
    )
    for job in ("a", "b"):
        take(queue, job)
    queue.request_pause(["b", "paused"])
    end(queue, "done")
    end(queue, "failed", Verdict("crashed", "failed", "broke"))
    queue.request_cancel(["gone"])


def test_cancelling_an_experiment_leaves_what_another_one_needs(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    queue.add_experiment(make_record("two", [Probe("pack-1"), Probe("train-2", ("pack-1",))]))
    assert queue.request_cancel(experiment="one") == ["train-1"]
    assert queue.job_states() == {"pack-1": "queued", "train-1": "cancelled", "train-2": "blocked"}
    assert ready(queue, "one") == []
    assert ready(queue, "two") == ["pack-1"]


def test_a_run_that_comes_back_has_what_others_kept_ready(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    queue.add_experiment(make_record("two", [Probe("pack-1"), Probe("train-2", ("pack-1",))]))
    queue.request_cancel(experiment="one")
    assert queue.request_retry(["train-1"]) == ["train-1"]
    assert ready(queue, "one") == ready(queue, "two") == ["pack-1"]


def test_cancelling_a_run_leaves_what_other_runs_need(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [*PAIR, Probe("train-2", ("pack-1",))]))
    assert queue.request_cancel(experiment="one", runs=["run-train-1"]) == ["train-1"]
    assert queue.job_states()["pack-1"] == "queued"


def test_resume_and_retry_bring_jobs_back(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    queue.request_pause(experiment="one")
    assert set(queue.job_states().values()) == {"paused"}
    assert sorted(queue.request_resume(["pack-1", "train-1"])) == ["pack-1", "train-1"]
    queue.request_cancel(experiment="one")
    assert not queue.has_work()
    assert sorted(queue.request_retry(["train-1"])) == ["pack-1", "train-1"], "with what it needs"
    assert queue.job_states() == {"pack-1": "queued", "train-1": "blocked"}
    assert ready(queue) == ["pack-1"]


def test_cancel_tells_what_it_stops_and_asks_what_runs(queue: Queue) -> None:
    every_state(queue)
    assert queue.request_cancel(queue.job_states()) == ["a", "b", "paused", "queued", "wait"]
    assert queue.request_cancel(queue.job_states()) == [], "it was news once"
    assert queue.job_states() == {
        "a": "running", "b": "running", "done": "done", "failed": "failed", "gone": "cancelled",
        "paused": "cancelled", "queued": "cancelled", "wait": "cancelled",
    }  # fmt: skip
    assert {row.job: row.request for row in queue.running()} == {"a": "cancel", "b": "cancel"}
    assert {row.job: row.reason for row in queue.job_rows(["failed", "queued"])} == {
        "failed": "broke",
        "queued": "cancelled",
    }


def test_pause_tells_what_it_stops_and_leaves_what_has_ended(queue: Queue) -> None:
    every_state(queue)
    assert queue.request_pause(queue.job_states()) == ["a", "queued", "wait"]
    assert queue.job_states() == {
        "a": "running", "b": "running", "done": "done", "failed": "failed", "gone": "cancelled",
        "paused": "paused", "queued": "paused", "wait": "paused",
    }  # fmt: skip
    assert {row.job: row.request for row in queue.running()} == {"a": "pause", "b": "pause"}
    assert {row.reason for row in queue.job_rows(["queued", "wait"])} == {"paused"}
    assert ready(queue) == []


def test_order_touches_the_named_jobs_alone(queue: Queue) -> None:
    submit(queue, "a", "b", "c", "d")
    take(queue, "c")
    take(queue, "d")
    assert queue.request_pause(["a", "c"]) == ["a", "c"]
    assert queue.job_states() == {"a": "paused", "b": "queued", "c": "running", "d": "running"}
    assert {row.job: row.request for row in queue.running()} == {"c": "pause", "d": ""}


def test_resume_takes_back_a_pause_and_leaves_a_cancellation(queue: Queue) -> None:
    every_state(queue)
    queue.request_cancel(["a"])
    assert sorted(queue.request_resume(queue.job_states())) == ["b", "paused"]
    assert {row.job: row.request for row in queue.running()} == {"a": "cancel", "b": ""}
    assert queue.job_states()["paused"] == "queued"
    assert queue.job_states()["gone"] == "cancelled"
    assert queue.job_rows(["paused"])[0].reason == ""


def test_resumed_job_whose_needs_are_not_done_is_blocked(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    queue.request_pause(["train-1"])
    assert queue.request_resume(["train-1"]) == ["train-1"]
    assert queue.job_states()["train-1"] == "blocked"


def test_retry_gives_back_every_budget_and_clears_the_reason(queue: Queue) -> None:
    submit(queue, "a", "b")
    end(queue, "a", FAILED)
    end(queue, "b", FAILED)
    assert queue.request_retry(["a"]) == ["a"]
    query = "SELECT state, reason, crashed, lost, ooms, not_before FROM jobs ORDER BY job"
    assert look(queue.path, query) == [("queued", "", 0, 0, 0, 0.0), ("failed", "broke", 1, 2, 3, 11.0)]


def test_retry_takes_back_a_cancellation_and_leaves_a_pause(queue: Queue) -> None:
    submit(queue, "a", "b", "c")
    for job in ("a", "b", "c"):
        take(queue, job)
    queue.request_cancel(["a", "c"])
    queue.request_pause(["b"])
    assert queue.request_retry(["a", "b"]) == []
    assert {row.job: row.request for row in queue.running()} == {"a": "", "b": "pause", "c": "cancel"}


def test_retry_reaches_needs_of_needs_and_leaves_what_is_done_or_waits(queue: Queue) -> None:
    chain = [Probe("a"), Probe("b", ("a",)), Probe("c", ("b",)), Probe("d")]
    queue.add_experiment(make_record("one", chain))
    queue.request_cancel(["a", "b", "c", "d"])
    assert sorted(queue.request_retry(["c"])) == ["a", "b", "c"]
    assert queue.job_states() == {"a": "queued", "b": "blocked", "c": "blocked", "d": "cancelled"}
    end(queue, "a")
    queue.request_cancel(["c"])
    assert queue.request_retry(["c"]) == ["c"]
    assert queue.job_states() == {"a": "done", "b": "queued", "c": "blocked", "d": "cancelled"}


def test_retry_revives_cancelled_runs_of_the_job_in_each_experiment_that_has_it(queue: Queue) -> None:
    submit(queue, "a", "b", name="one")
    submit(queue, "a", name="two")
    queue.request_cancel(experiment="one")
    queue.request_cancel(experiment="two")
    assert queue.request_retry(["a"]) == ["a"]
    assert (ready(queue, "one"), ready(queue, "two")) == (["a"], ["a"])
    assert look(queue.path, "SELECT experiment, run FROM runs WHERE cancelled") == [("one", "run-b")]


def test_pausing_an_experiment_or_a_run_leaves_what_others_want(queue: Queue) -> None:
    submit(queue, "a", "b", "shared", name="one")
    submit(queue, "shared", "c", name="two")
    assert queue.request_pause(experiment="one", runs=["run-a", "run-shared"]) == ["a"]
    assert queue.request_pause(experiment="one") == ["b"]
    assert queue.job_states() == {"a": "paused", "b": "paused", "shared": "queued", "c": "queued"}


def test_job_that_a_cancelled_experiment_shared_leaves_its_ready_list(queue: Queue) -> None:
    submit(queue, "shared", name="one")
    submit(queue, "shared", name="two")
    assert queue.request_cancel(experiment="one") == []
    assert [row.experiment for row in queue.waiting()] == ["two"]


def test_cancelled_runs_of_one_experiment_are_no_runs_of_another(queue: Queue) -> None:
    submit(queue, "a", name="one")
    submit(queue, "a", name="two")
    queue.request_cancel(experiment="one", runs=["run-a"])
    assert look(queue.path, "SELECT experiment, cancelled FROM runs ORDER BY 1") == [("one", 1), ("two", 0)]
    assert queue.request_cancel(["a"]) == ["a"], "by id it stops for all"


def test_jobs_are_listed_run_by_run_each_once(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("z"), Probe("b", ("z",)), Probe("a", ("z",))]))
    submit(queue, "other", name="two")
    assert queue.jobs_of("one") == ["z", "b", "a"]
    assert queue.jobs_of("one", ["run-a"]) == ["a", "z"]
    assert queue.jobs_of("absent") == []


def test_priority_is_set_where_there_is_such_an_experiment(queue: Queue) -> None:
    submit(queue, "a", name="one")
    submit(queue, "b", name="two")
    assert queue.set_priority("one", 5)
    assert not queue.set_priority("absent", 5)
    assert {row.experiment: row.priority for row in queue.experiments()} == {"one": 5, "two": 0}


def test_order_on_nothing_changes_nothing(queue: Queue) -> None:
    submit(queue, "a")
    assert queue.request_cancel([]) == queue.request_pause([]) == []
    assert queue.request_resume([]) == queue.request_retry([]) == []
    assert queue.request_cancel() == queue.request_pause() == []
    assert queue.job_states() == {"a": "queued"}
    assert end(queue, "a", DONE) == "done"


def test_what_does_not_run_keeps_no_request(queue: Queue) -> None:
    every_state(queue)
    queue.request_pause(queue.job_states())
    queue.request_cancel(queue.job_states())
    assert look(queue.path, "SELECT DISTINCT request FROM jobs WHERE state != 'running'") == [("",)]


def test_retry_leaves_a_paused_job_paused(queue: Queue) -> None:
    submit(queue, "a")
    queue.request_pause(["a"])
    assert queue.request_retry(["a"]) == []
    assert queue.job_states() == {"a": "paused"}
