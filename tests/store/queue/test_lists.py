"""The queue in pages: what is next, what is in a state, runs, and what jobs wait for."""

from __future__ import annotations

from store.queue import Need, Queue, ReadyCount
from tests.helpers.queueing import Probe, make_record
from tests.store.queue.leasing import PAIR, take

SOME = [Probe(f"train-{number}", cost=float(number)) for number in range(5)]


def test_ready_jobs_come_longest_first_and_page_by_page(queue: Queue) -> None:
    queue.add_experiment(make_record("one", SOME))
    assert queue.page_ready("one", 0, 2) == ["train-4", "train-3"]
    assert queue.page_ready("one", 4, 2) == ["train-0"]
    assert queue.page_ready("none", 0, 2) == []


def test_an_experiment_tells_what_is_ready_and_runs(queue: Queue) -> None:
    queue.add_experiment(make_record("one", SOME, at=2.0, priority=3))
    queue.add_experiment(make_record("two", [SOME[0]], at=1.0))
    take(queue, "train-0")
    assert queue.count_ready() == [ReadyCount("two", 0, 1.0, 0, 1), ReadyCount("one", 3, 2.0, 4, 1)]


def test_states_are_counted_of_one_or_of_all(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    queue.add_experiment(make_record("two", [SOME[0], *SOME[2:]]))
    assert queue.count_states() == {"queued": 5, "blocked": 1}
    assert queue.count_states("one") == {"queued": 1, "blocked": 1}
    assert queue.page_state("queued", "one", 0, 9) == ["pack-1"]
    assert queue.page_state("queued", None, 1, 2) == ["train-0", "train-2"]


def test_a_job_tells_what_it_still_needs(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    assert queue.open_needs(["train-1"]) == [Need("train-1", "pack-1", "queued")]
    queue.mark_done(["pack-1"])
    assert queue.open_needs(["train-1"]) == []


def test_runs_come_page_by_page_with_their_states(queue: Queue) -> None:
    queue.add_experiment(make_record("one", SOME))
    take(queue, "train-1")
    found = queue.page_runs("one", 1, 2)
    assert [(run.run, run.state) for run in found] == [("run-train-1", "running"), ("run-train-2", "queued")]
    assert queue.count_runs_of("one") == 5
    assert queue.first_runs(["train-1", "none"]) == {"train-1": "run-train-1"}
    assert [owner.experiment for owner in queue.owners(["train-1"])] == ["one"]
