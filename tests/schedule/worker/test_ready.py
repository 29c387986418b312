"""What is remembered of the ready jobs is what the queue would say, and asked again where that may have changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.schedule.worker.ready import AHEAD, LOOK, Entry, ReadyJobs
from store.queue import End, Queue, Start, Verdict
from tests.helpers.queueing import Probe, make_record

DONE = Verdict("done", "done")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "queue.db")


def names(ready: ReadyJobs) -> list[list[str]]:
    return [[claim.job for claim, _ in entries] for entries in ready.turns()]


def make_ready(queue: Queue, heard: list[Entry] | None = None) -> ReadyJobs:
    return ReadyJobs(queue, lambda: 100.0, (heard if heard is not None else []).extend)


def start(queue: Queue, ready: ReadyJobs, *jobs: str) -> None:
    for job in jobs:
        ready.take(next(claim for entries in ready.turns() for claim, _ in entries if claim.job == job))
    assert len(queue.lease_all([Start(job, 1, "cpu:0") for job in jobs], boot_id="b", expires=9.0, now=1.0)) == len(
        jobs
    )
    ready.settle()


def test_each_experiment_shows_its_next_jobs_and_all_come_in_the_end(queue: Queue) -> None:
    jobs = [f"train-{number:03d}" for number in range(LOOK + 2 * AHEAD)]
    queue.add_experiment(make_record("one", [Probe(job) for job in jobs]))
    ready, seen = make_ready(queue), list[str]()
    while entries := next(ready.turns()):
        assert len(entries) == min(LOOK, len(jobs) - len(seen))
        seen.append(entries[0][0].job)
        ready.take(entries[0][0])
    assert seen == jobs, "none twice, though the queue has leased none yet"


def test_who_has_fewest_running_comes_first_and_a_shared_job_counts_for_both(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-a"), Probe("train-both")], at=1.0))
    queue.add_experiment(make_record("two", [Probe("train-both"), Probe("train-c")], at=2.0))
    queue.add_experiment(make_record("three", [Probe("train-d"), Probe("train-e")], at=3.0))
    ready = make_ready(queue)
    assert names(ready) == [["train-a", "train-both"], ["train-both", "train-c"], ["train-d", "train-e"]]
    start(queue, ready, "train-both")
    assert names(ready) == [["train-d", "train-e"], ["train-a"], ["train-c"]]
    assert names(make_ready(queue)) == names(ready), "as the queue itself has it"
    ready.end(queue.finish_all([End("train-both", 1, DONE, 2.0)]))
    assert names(ready) == [["train-a"], ["train-c"], ["train-d", "train-e"]]


def test_what_an_end_lets_go_on_is_seen(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("pack-1"), Probe("train-1", ("pack-1",))]))
    queue.add_experiment(make_record("two", [Probe("train-2", ("pack-1",)), Probe("pack-1")], at=2.0))
    ready = make_ready(queue)
    start(queue, ready, "pack-1")
    ready.end(queue.finish_all([End("pack-1", 1, DONE, 2.0)]))
    assert names(ready) == [["train-1"], ["train-2"]]


def test_what_others_changed_is_asked_anew(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe("train-1")]))
    heard: list[Entry] = []
    ready = make_ready(queue, heard)
    assert names(ready) == names(ready) == [["train-1"]]
    assert len(heard) == 1, "told once of what was read once"
    queue.request_cancel(["train-1"])
    assert names(ready) == [["train-1"]]
    ready.forget()
    assert names(ready) == []
