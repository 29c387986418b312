"""What status shows: rows of jobs, runs and attempts, counts and seconds, and what check_integrity finds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store.queue import AttemptRow, JobRow, Owners, Queue, RunRow, Verdict, combine_states
from store.queue.status import RULES
from tests.helpers.queueing import Probe, make_record
from tests.store.queue.leasing import PAIR, end, look, submit, take


def test_jobs_of_cancelled_runs_are_counted_too_and_shared_ones_once(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [*PAIR, Probe("train-2", ("pack-1",))]))
    queue.add_experiment(make_record("two", PAIR))
    before = {row.experiment: row.jobs for row in queue.experiments()}
    assert before == {"one": {"queued": 1, "blocked": 2}, "two": {"queued": 1, "blocked": 1}}
    queue.request_cancel(experiment="one", runs=["run-train-2"])
    after = {row.experiment: row.jobs for row in queue.experiments()}
    assert after == {"one": {"queued": 1, "blocked": 1, "cancelled": 1}, "two": {"queued": 1, "blocked": 1}}


def test_counts_and_runs_agree_with_the_rule(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [*PAIR, Probe("train-2")]))
    take(queue, "pack-1")
    (row,) = queue.experiments()
    by_hand: dict[str, int] = {}
    for run in queue.experiment_rows("one"):
        found = combine_states(queue.job_states()[job] for job in run.jobs.values())
        assert found == run.state
        by_hand[found] = by_hand.get(found, 0) + 1
    assert row.runs == by_hand == {"running": 2, "queued": 1}
    assert row.jobs == {"running": 1, "blocked": 1, "queued": 1}


def test_job_row_holds_what_is_known(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("a", does={"x": 1}, cost=7.0, kind="pack"), Probe("b")]))
    submit(queue, "c", name="two")
    end(queue, "a", Verdict("crashed", "queued", "broke"))
    take(queue, "a", 2, now=3.0)
    queue.request_cancel(["a"])
    first = JobRow("a", "pack", "running", "", 2, 3.0, None, 7.0, "cancel", {"x": 1})
    second, third = (JobRow(job, "train", "queued", "", 0, None, None, 1.0, "", {}) for job in ("b", "c"))
    assert queue.job_rows() == [first, second, third]
    assert queue.job_rows(["c", "a", "absent"]) == [first, third]
    assert queue.job_rows([]) == []
    assert queue.job_rows(experiment="one") == [first, second]


def test_attempts_are_ordered_by_number(queue: Queue) -> None:
    submit(queue, "a", "b")
    for number in (10, 9, 2):
        queue.restore_attempt("b", number, {"outcome": "lost"})
    queue.restore_attempt("a", 1, {"outcome": "lost"})
    assert [(row.job, row.attempt) for row in queue.attempt_rows()] == [("a", 1), ("b", 2), ("b", 9), ("b", 10)]
    assert queue.attempt_rows(["a"]) == [AttemptRow("a", 1, "", 0.0, None, "lost", None, "")]
    assert queue.attempt_rows([]) == []


def test_runs_come_in_the_order_of_submission_and_of_the_spec(queue: Queue) -> None:
    queue.add_experiment(make_record("b", [Probe("y"), Probe("x")], at=1.0))
    queue.add_experiment(make_record("c", [Probe("z")], at=0.5))
    queue.add_experiment(make_record("a", [Probe("w")], at=1.0))
    assert [(row.experiment, row.run) for row in queue.experiment_rows()] == [
        ("c", "run-z"), ("a", "run-w"), ("b", "run-y"), ("b", "run-x"),
    ]  # fmt: skip
    assert [row.experiment for row in queue.experiments()] == ["c", "a", "b"]
    assert queue.experiment_names() == ["a", "b", "c"]
    assert [row.experiment for row in queue.experiments("a")] == ["a"]


def test_run_without_jobs_is_done(queue: Queue) -> None:
    record = make_record("one", [Probe("a")])
    record["runs"][0]["jobs"] = {}
    queue.add_experiment(record)
    assert queue.experiment_rows() == [RunRow("one", "run-a", "arm", "cell", 0, "done", {})]


def test_seconds_are_summed_by_state_and_compared_where_they_were_taken(queue: Queue) -> None:
    probes = [Probe(job, cost=cost) for job, cost in (("a", 4.0), ("b", 6.0), ("c", 8.0), ("d", 16.0))]
    queue.add_experiment(make_record("one", probes))
    for job, began, ended in (("a", 1.0, 11.0), ("b", 2.0, 5.0), ("c", 9.0, 3.0)):  # the clock went back at the last
        assert take(queue, job, now=began)
        queue.finish(job, 1, Verdict("done", "done"), ended)
    (row,) = queue.experiments()
    assert row.jobs == {"done": 3, "queued": 1}
    assert row.seconds == {"done": 18.0, "queued": 16.0}
    assert row.measured == {"train": (13.0, 10.0)}
    assert row.waiting == {"train": 16.0}
    assert row.runs == {"done": 3, "queued": 1}


def test_seconds_are_kept_apart_by_kind(queue: Queue) -> None:
    kinds = {"a": "targets", "b": "targets", "c": "train", "d": "train", "e": "measure"}
    queue.add_experiment(make_record("one", [Probe(job, cost=2.0, kind=kind) for job, kind in kinds.items()]))
    for job, ended in (("a", 131.0), ("c", 3.0)):
        assert take(queue, job, now=1.0)
        queue.finish(job, 1, Verdict("done", "done"), ended)
    (row,) = queue.experiments()
    assert row.measured == {"targets": (130.0, 2.0), "train": (2.0, 2.0)}
    assert row.waiting == {"targets": 2.0, "train": 2.0, "measure": 2.0}
    assert (row.jobs, row.seconds) == ({"done": 2, "queued": 3}, {"done": 4.0, "queued": 6.0})


def test_a_start_that_is_told_at_the_end_takes_the_place_of_the_lease_s(queue: Queue) -> None:
    submit(queue, "a")
    assert take(queue, "a", now=1.0)
    queue.finish("a", 1, Verdict("done", "done"), 900.0, 890.0)
    (row,), (attempt,) = queue.job_rows(["a"]), queue.attempt_rows(["a"])
    assert (row.started_at, row.ended_at) == (attempt.started_at, attempt.ended_at) == (890.0, 900.0)


def test_nothing_done_is_nothing_measured(queue: Queue) -> None:
    submit(queue, "a", "b")
    end(queue, "b", Verdict("crashed", "failed"))
    (row,) = queue.experiments()
    assert (row.measured, row.waiting) == ({}, {"train": 1.0})


def test_counts_of_runs_do_not_mix_experiments(queue: Queue) -> None:
    submit(queue, "a", "b", name="one")
    submit(queue, "a", name="two")
    end(queue, "a")
    assert {row.experiment: row.runs for row in queue.experiments()} == {
        "one": {"done": 1, "queued": 1},
        "two": {"done": 1},
    }


def test_notable_jobs_are_those_a_person_wants_to_see(queue: Queue) -> None:
    submit(queue, "busy", "busy2", "broken", "gone", "waits", "calm", "plain", "paused", name="one")
    submit(queue, "busy2", "far", name="two")
    take(queue, "busy", now=5.0)
    take(queue, "busy2", now=4.0)
    end(queue, "broken", Verdict("crashed", "failed", "broke"))
    queue.request_cancel(["gone"])
    end(queue, "waits", Verdict("crashed", "queued", "why", wait=5.0))
    end(queue, "calm", Verdict("crashed", "queued", "", wait=5.0))
    end(queue, "paused", Verdict("crashed", "queued", "why", wait=5.0))
    queue.request_pause(["paused"])
    end(queue, "far", Verdict("crashed", "failed", "far"))
    jobs, owners = queue.notable(None, 9)
    assert [row.job for row in jobs] == ["busy2", "busy", "broken", "far", "gone", "waits", "paused", "calm"]
    assert {(row.job, row.experiment) for row in owners if row.job == "busy2"} == {("busy2", "one"), ("busy2", "two")}
    jobs, owners = queue.notable("two", 9)
    assert [row.job for row in jobs] == ["busy2", "far"]
    assert {row.experiment for row in owners} == {"two"}
    assert [row.job for row in queue.notable(None, 1)[0]] == ["busy2", "broken", "gone", "waits", "paused", "calm"]


def test_owners_count_arms_cells_and_seeds_and_name_the_first(queue: Queue) -> None:
    record = make_record("one", [Probe("a"), Probe("b", ("a",)), Probe("c", ("a",))])
    for run, arm, cell, seed in zip(record["runs"], ("m", "l", "m"), ("x", "x", "y"), (5, 5, 5), strict=True):
        run |= {"arm": arm, "cell": cell, "seed": seed}
    queue.add_experiment(record)
    take(queue, "a")
    assert queue.notable("one", 9)[1] == [Owners("one", "a", "role0", 2, "l", "m", 2, "x", 1, 5)]


BREAKS = {
    "running without a lease": ("DELETE FROM leases", "busy"),
    "leased and not running": ("UPDATE jobs SET state = 'failed' WHERE job = 'busy'", "busy"),
    "an attempt without an outcome or a lease": ("INSERT INTO attempts VALUES ('x', 1, '', 0, 0, NULL, 0, '')", "x"),
    "ready and not queued": ("UPDATE jobs SET state = 'failed' WHERE job = 'free'", "free"),
    "queued, wanted and not ready": ("DELETE FROM ready", "free"),
    "queued before its needs are done": ("UPDATE jobs SET state = 'queued' WHERE job = 'late'", "late"),
    "blocked with its needs done": ("UPDATE jobs SET state = 'done' WHERE job = 'free'", "late"),
    "two attempts done": (
        "INSERT INTO attempts VALUES ('x', 1, '', 0, 0, 'done', 0, ''), ('x', 2, '', 0, 0, 'done', 0, '')", "x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", list(RULES))
def test_each_broken_rule_is_found_with_its_job(tmp_path: Path, rule: str) -> None:
    with Queue(tmp_path / "queue.db") as queue:
        queue.add_experiment(make_record("one", [Probe("busy"), Probe("free"), Probe("late", ("free",))]))
        take(queue, "busy")
        assert queue.check_integrity() == []
        damage, job = BREAKS[rule]
        look(queue.path, damage)
        assert f"{job}: {rule}" in queue.check_integrity()


def test_need_that_is_not_there_keeps_a_job_from_being_queued(tmp_path: Path) -> None:
    with Queue(tmp_path / "queue.db") as queue:
        submit(queue, "a")
        look(queue.path, "INSERT INTO job_needs VALUES ('a', 'absent')")
        assert queue.check_integrity() == ["a: queued before its needs are done"]


def test_damage_that_sqlite_sees_is_told(tmp_path: Path) -> None:
    with Queue(tmp_path / "queue.db") as queue:
        submit(queue, "a")
    look(tmp_path / "queue.db", "CREATE TABLE twin (a INTEGER)")
    look(tmp_path / "queue.db", "INSERT INTO twin VALUES (NULL)")
    with closing(sqlite3.connect(tmp_path / "queue.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = 'CREATE TABLE twin (a INTEGER NOT NULL)' WHERE name = 'twin'"
        )
    with Queue(tmp_path / "queue.db") as queue:
        assert queue.check_integrity() == ["NULL value in twin.a"]


def test_states_that_may_have_changed_are_those_of_all_runs(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [*PAIR, Probe("train-2"), Probe("train-3")]))
    assert queue.changed_states(0.0) == {}, "nothing has begun"
    take(queue, "train-2")
    found = queue.changed_states(0.0)
    by_hand = {(row.experiment, row.run): row.state for row in queue.experiment_rows() if row.state == "running"}
    assert found == by_hand != {}
    queue.finish("train-2", 1, Verdict("done", "done"), 2.0)
    (late,) = by_hand
    assert queue.changed_states(0.0)[late] == "done"
    assert late not in queue.changed_states(1e12)
    assert queue.changed_states(1e12, [late[1]]) == {late: "done"}
    assert queue.run_counts() == {"one": 4}
