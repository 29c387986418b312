"""The queue by itself: submissions, claims, verdicts, orders, what status shows, and two processes at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.queue import Queue, Verdict, combine_states
from tests.queueing import Probe, make_record

DONE = Verdict("done", "done")
PAIR = (Probe("pack-1"), Probe("train-1", ("pack-1",)))


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with Queue(tmp_path / "queue.db") as opened:
        yield opened
        assert opened.check_integrity() == []


def take(queue: Queue, job: str, attempt: int = 1) -> bool:
    return queue.lease(job, attempt, "cpu:0", boot_id="boot", expires=60.0, now=1.0)


def ready(queue: Queue, experiment: str = "one") -> list[str]:
    return [claim.job for claim in queue.ready_jobs(experiment, now=100.0)]


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


def test_a_queue_of_the_first_schema_goes_on(tmp_path: Path) -> None:
    with Queue(tmp_path / "queue.db") as queue:
        queue.add_experiment(make_record("one", [Probe("train-1", cost=9.0)]))
    with sqlite3.connect(tmp_path / "queue.db") as connection:
        connection.execute("ALTER TABLE jobs DROP COLUMN chain")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    with Queue(tmp_path / "queue.db") as queue:
        queue.add_experiment(make_record("two", [Probe("train-2", cost=5.0), Probe("train-1", cost=9.0)]))
        assert ready(queue, "two") == ["train-1", "train-2"]


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


def test_cancelling_an_experiment_leaves_what_another_one_needs(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    queue.add_experiment(make_record("two", [Probe("pack-1"), Probe("train-2", ("pack-1",))]))
    assert queue.request_cancel(experiment="one") == ["train-1"]
    assert queue.job_states() == {"pack-1": "queued", "train-1": "cancelled", "train-2": "blocked"}
    assert ready(queue, "one") == []
    assert ready(queue, "two") == ["pack-1"]


def test_cancelling_a_run_leaves_what_other_runs_need(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [*PAIR, Probe("train-2", ("pack-1",))]))
    assert queue.request_cancel(experiment="one", runs=["run-train-1"]) == ["train-1"]
    assert queue.job_states()["pack-1"] == "queued"


def test_jobs_of_cancelled_runs_are_counted_too_and_shared_ones_once(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [*PAIR, Probe("train-2", ("pack-1",))]))
    queue.add_experiment(make_record("two", PAIR))
    before = {row.experiment: row.jobs for row in queue.experiments()}
    assert before == {"one": {"queued": 1, "blocked": 2}, "two": {"queued": 1, "blocked": 1}}
    queue.request_cancel(experiment="one", runs=["run-train-2"])
    after = {row.experiment: row.jobs for row in queue.experiments()}
    assert after == {"one": {"queued": 1, "blocked": 1, "cancelled": 1}, "two": {"queued": 1, "blocked": 1}}


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


def test_reading_needs_no_file_and_no_write_lock(tmp_path: Path, queue: Queue) -> None:
    assert Queue.open_readonly(tmp_path / "absent.db").experiments() == []
    assert not (tmp_path / "absent.db").exists()
    queue.add_experiment(make_record("one", PAIR))
    with queue._change(), Queue.open_readonly(queue.path) as reader:
        assert len(reader.job_states()) == 2
        with pytest.raises(RuntimeError, match="opened for reading"):
            reader.mark_done(["pack-1"])


def test_a_change_by_another_process_is_noticed(queue: Queue) -> None:
    before = queue.data_version()
    queue.add_experiment(make_record("one", PAIR))
    assert queue.data_version() == before, "our own changes are no news"
    with Queue(queue.path) as other:
        other.request_pause(["pack-1"])
    assert queue.data_version() != before


GRAB = """
import sys
from store.queue import Queue, Verdict
queue, mine = Queue(sys.argv[1]), 0
while True:
    claims = queue.ready_jobs("one", 100.0, most=4)
    if not claims:
        break
    for claim in claims:
        if queue.lease(claim.job, 1, "cpu:0", boot_id="b", expires=9.0, now=1.0):
            assert queue.finish(claim.job, 1, Verdict("done", "done"), 2.0) == "done"
            mine += 1
print(mine)
"""


def test_two_processes_never_take_the_same_job(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe(f"train-{number}") for number in range(60)]))
    grabs = [
        subprocess.Popen([sys.executable, "-c", GRAB, str(queue.path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    counts = [int(process.communicate(timeout=60)[0]) for process in grabs]
    assert sum(counts) == 60
    assert set(queue.job_states().values()) == {"done"}
