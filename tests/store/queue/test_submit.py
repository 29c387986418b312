"""Experiments in: what a submission writes, what a new one keeps, what is ready after it."""

from __future__ import annotations

from store.queue import Queue, RunRow, Verdict
from store.queue.submit import UNWANTED
from tests.helpers.queueing import Probe, make_record
from tests.store.queue.leasing import DONE, PAIR, end, look, ready, submit, take


def test_a_job_is_ready_only_when_all_it_needs_is_done(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    assert queue.job_states() == {"pack-1": "queued", "train-1": "blocked"}
    assert take(queue, "pack-1")
    assert queue.finish("pack-1", 1, DONE, 2.0) == "done"
    assert ready(queue) == ["train-1"]


def test_the_same_submission_again_changes_nothing(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    assert take(queue, "pack-1")
    before = (queue.job_rows(), queue.experiment_rows(), queue.running())
    queue.add_experiment(make_record("one", PAIR))
    assert (queue.job_rows(), queue.experiment_rows(), queue.running()) == before


def test_results_on_disk_decide_what_is_done_both_ways(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR), done={"pack-1"})
    assert queue.job_states() == {"pack-1": "done", "train-1": "queued"}
    queue.add_experiment(make_record("one", PAIR))
    assert queue.job_states() == {"pack-1": "queued", "train-1": "blocked"}


def test_longest_jobs_come_first(queue: Queue) -> None:
    probes = [Probe(f"train-{cost}", cost=cost) for cost in (2.0, 9.0, 5.0)]
    queue.add_experiment(make_record("one", probes))
    assert ready(queue) == ["train-9.0", "train-5.0", "train-2.0"]


def test_a_job_with_a_long_chain_behind_it_comes_before_a_longer_one(queue: Queue) -> None:
    record = make_record("one", [Probe("train-1", cost=9.0), Probe("train-2", cost=5.0)])
    record["jobs"][1]["chain"] = 30.0
    queue.add_experiment(record)
    assert ready(queue) == ["train-2", "train-1"]


def test_submitting_again_gives_failed_jobs_a_fresh_budget_and_leaves_paused_ones(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-1"), Probe("train-2"), Probe("train-3")]))
    take(queue, "train-1")
    queue.finish("train-1", 1, Verdict("crashed", "failed", "broke", spent={"crashed": 1}), 2.0)
    queue.request_cancel(["train-2"])
    queue.request_pause(["train-3"])
    queue.add_experiment(make_record("one", [Probe("train-1"), Probe("train-2"), Probe("train-3")]))
    assert queue.job_states() == {"train-1": "queued", "train-2": "queued", "train-3": "paused"}
    take(queue, "train-1", attempt=2)
    assert queue.running()[0].crashed == 0


def test_a_new_submission_replaces_the_runs_and_retires_what_nobody_wants(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-1"), Probe("train-2")]))
    queue.add_experiment(make_record("two", [Probe("train-2")]))
    queue.add_experiment(make_record("one", [Probe("train-3")], at=5.0))
    assert [row.run for row in queue.experiment_rows("one")] == ["run-train-3"]
    assert queue.job_states() == {"train-1": "cancelled", "train-2": "queued", "train-3": "queued"}
    assert ready(queue, "one") == ["train-3"]


def test_submission_writes_its_experiment_runs_and_jobs(queue: Queue) -> None:
    record = make_record(
        "one", [Probe("a", does={"x": 1}, cost=2.5, kind="pack"), Probe("b", ("a",))], at=3.0, priority=4
    )
    record["title"] = "A title"
    queue.add_experiment(record)
    (row,) = queue.experiments()
    assert (row.title, row.submitted_at, row.priority) == ("A title", 3.0, 4)
    assert queue.experiment_rows() == [
        RunRow("one", "run-a", "arm", "cell", 0, "queued", {"role0": "a"}),
        RunRow("one", "run-b", "arm", "cell", 1, "queued", {"role0": "b", "role1": "a"}),
    ]
    query = "SELECT job, kind, details, cost, chain, attempts, started_at, ended_at, crashed, not_before FROM jobs"
    assert sorted(look(queue.path, query)) == [
        ("a", "pack", '{"x": 1}', 2.5, 2.5, 0, None, None, 0, 0.0),
        ("b", "train", "{}", 1.0, 1.0, 0, None, None, 0, 0.0),
    ]


def test_record_without_title_priority_and_costs_is_taken(queue: Queue) -> None:
    record = make_record("one", [Probe("a")])
    record |= {"title": None, "priority": None}
    record["jobs"][0] |= {"cost": None, "details": None}
    del record["jobs"][0]["needs"]
    queue.add_experiment(record)
    (row,) = queue.experiments()
    assert (row.title, row.priority) == ("", 0)
    assert look(queue.path, "SELECT details, cost, chain FROM jobs") == [("{}", 0.0, 0.0)]


def test_new_submission_brings_its_title_details_and_costs(queue: Queue) -> None:
    submit(queue, "a", "b")
    record = make_record("one", [Probe("a", does={"x": 2}, cost=8.0), Probe("b")], at=9.0, priority=3)
    record["jobs"][0]["chain"] = 20.0
    queue.add_experiment(record | {"title": "new"})
    (row,) = queue.experiments()
    assert (row.title, row.submitted_at, row.priority) == ("new", 9.0, 3)
    assert look(queue.path, "SELECT details, cost, chain FROM jobs WHERE job = 'a'") == [('{"x": 2}', 8.0, 20.0)]


def test_submission_clears_every_budget_of_what_failed(queue: Queue) -> None:
    submit(queue, "a")
    end(queue, "a", Verdict("oom", "failed", "broke", wait=9.0, spent={"crashed": 1, "lost": 2, "ooms": 3}))
    submit(queue, "a")
    query = "SELECT state, reason, crashed, lost, ooms, not_before FROM jobs"
    assert look(queue.path, query) == [("queued", "", 0, 0, 0, 0.0)]


def test_submission_takes_back_a_cancellation_of_what_runs_and_leaves_a_pause(queue: Queue) -> None:
    submit(queue, "a", "b", "c")
    for job in ("a", "b", "c"):
        take(queue, job)
    queue.request_cancel(["a"])
    queue.request_pause(["b"])
    submit(queue, "c")
    assert {row.job: row.request for row in queue.running()} == {"a": "cancel", "b": "pause", "c": ""}
    submit(queue, "a", "b")
    assert {row.job: row.request for row in queue.running()} == {"a": "", "b": "pause", "c": ""}


def test_running_job_that_has_a_result_is_left_to_the_scheduler(queue: Queue) -> None:
    submit(queue, "a", "b")
    take(queue, "a")
    queue.mark_done(["a", "b"])
    assert queue.job_states() == {"a": "running", "b": "done"}
    assert queue.finish("a", 1, DONE, 2.0) == "done"


def test_job_marked_done_forgets_its_reason_and_frees_what_needs_it(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    end(queue, "pack-1", Verdict("crashed", "failed", "broke"))
    queue.mark_done(["pack-1"])
    assert queue.job_states() == {"pack-1": "done", "train-1": "queued"}
    assert queue.job_rows(["pack-1"])[0].reason == ""
    assert ready(queue) == ["train-1"]


def test_job_that_nobody_wants_any_more_says_so_and_what_runs_or_is_done_stays(queue: Queue) -> None:
    submit(queue, "a", "b", "c", "d")
    take(queue, "a")
    end(queue, "b")
    queue.request_pause(["d"])
    submit(queue, "e")
    assert queue.job_states() == {"a": "running", "b": "done", "c": "cancelled", "d": "cancelled", "e": "queued"}
    assert {row.reason for row in queue.job_rows(["c", "d"])} == {UNWANTED}
    assert queue.finish("a", 1, Verdict("lost", "queued"), 2.0) == "queued"
    assert ready(queue) == ["e"], "nobody wants it"


def test_submission_revives_cancelled_runs(queue: Queue) -> None:
    submit(queue, "a")
    queue.request_cancel(experiment="one")
    submit(queue, "a")
    assert look(queue.path, "SELECT cancelled FROM runs") == [(0,)]
    assert ready(queue) == ["a"]


def test_job_in_two_roles_of_a_run_and_a_run_told_twice_are_taken_once(queue: Queue) -> None:
    record = make_record("one", [Probe("a")])
    record["runs"] *= 2
    record["jobs"][0]["needs"] = []
    queue.add_experiment(record)
    assert [row.run for row in queue.experiment_rows()] == ["run-a"]


def test_submission_of_one_experiment_leaves_the_runs_of_another(queue: Queue) -> None:
    submit(queue, "a", name="one")
    submit(queue, "b", name="two")
    submit(queue, "c", name="one")
    assert [row.run for row in queue.experiment_rows("two")] == ["run-b"]
    assert ready(queue, "two") == ["b"]


def test_job_becomes_ready_when_the_last_of_its_needs_is_done(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("a"), Probe("b"), Probe("c", ("a", "b"))]))
    end(queue, "a")
    assert queue.job_states()["c"] == "blocked"
    end(queue, "b")
    assert queue.job_states()["c"] == "queued"


def test_ready_job_is_blocked_again_when_a_result_it_needs_is_gone(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("a"), Probe("b", ("a",))]), done={"a"})
    assert ready(queue) == ["b"]
    submit(queue, "a", name="two")  # without its result
    assert queue.job_states() == {"a": "queued", "b": "blocked"}
    assert ready(queue, "one") == ["a"]


def test_need_that_is_no_job_of_the_queue_blocks(queue: Queue) -> None:
    record = make_record("one", [Probe("b")])
    record["jobs"][0]["needs"] = ["absent"]
    queue.add_experiment(record)
    assert queue.job_states() == {"b": "blocked"}
