"""Long orders in parts: each name once and in order, transactions of about one length, a gap for others to write."""

from __future__ import annotations

import time

import pytest

from store.queue import Queue, batches
from store.queue.batches import FIRST, GAP, LEAST, MOST, TARGET, in_batches, next_size
from tests.helpers.queueing import Probe, make_record


def test_every_name_comes_once_and_in_order_with_a_gap_between_batches() -> None:
    slept: list[float] = []
    names = [str(number) for number in range(5 * FIRST)]
    parts = list(in_batches(names, clock=lambda: 0.0, sleep=slept.append))
    assert [name for part in parts for name in part] == names
    assert len(parts[0]) == FIRST
    assert slept == [GAP] * (len(parts) - 1)
    assert list(in_batches([], sleep=slept.append)) == []


def test_the_gap_is_longer_than_a_waiting_writer_sleeps() -> None:
    assert GAP > 0.1, "the longest pause in SQLite's busy handler"
    assert TARGET + GAP < 0.5


@pytest.mark.parametrize(
    ("seconds", "size"), [(TARGET, 2000), (1.6 * TARGET, 1250), (TARGET / 2, 4000), (TARGET / 100, 8000)]
)
def test_a_batch_is_as_long_as_the_last_one_shows_that_it_may_be(seconds: float, size: int) -> None:
    assert next_size(2000, seconds) == size


def test_a_slow_disk_makes_batches_half_as_long_and_never_shorter_than_the_least() -> None:
    assert next_size(8 * LEAST, 99.0) == 4 * LEAST
    assert next_size(LEAST, 99.0) == LEAST


def test_no_batch_is_longer_than_the_most() -> None:
    assert next_size(MOST, TARGET / 3) == MOST
    assert next_size(MOST, 0.0) == MOST


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST", "LEAST", "MOST"):
        monkeypatch.setattr(batches, name, 1)
    monkeypatch.setattr(batches, "GAP", 0.0)


@pytest.mark.usefixtures("one_by_one")
def test_orders_in_batches_of_one_end_as_in_a_single_one(queue: Queue) -> None:
    shared = Probe("pack-1")
    trains = [Probe(f"train-{number}", ("pack-1",)) for number in range(4)]
    queue.add_experiment(make_record("one", [shared, *trains]))
    queue.add_experiment(make_record("two", [shared]))
    names = [probe.job for probe in trains]
    assert queue.request_pause(experiment="one") == names
    assert sorted(queue.request_resume(["pack-1", *names])) == names
    assert queue.request_cancel(experiment="one") == names
    assert [row.experiment for row in queue.waiting()] == ["two"]
    assert queue.request_cancel(experiment="two") == ["pack-1"]
    assert sorted(queue.request_retry(names)) == ["pack-1", *names]
    assert [row.experiment for row in queue.waiting()] == ["one"], "its runs want their jobs again"
    assert queue.check_integrity() == []


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_an_order_that_was_cut_off_does_the_rest_when_given_again(
    queue: Queue, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = [Probe(f"train-{number}") for number in range(4)]
    queue.add_experiment(make_record("one", probes))
    names = [probe.job for probe in probes]
    if verb == "retry":
        queue.request_cancel(experiment="one")

    def give() -> list[str]:
        return queue.request_cancel(experiment="one") if verb == "cancel" else queue.request_retry(names)

    left = [2]  # gaps

    def break_off(_: float) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(in_batches, "__defaults__", (time.monotonic, break_off))
        with pytest.raises(KeyboardInterrupt):
            give()
    changed = {"cancel": "cancelled", "retry": "queued"}[verb]
    assert 0 < list(queue.job_states().values()).count(changed) < 4
    assert queue.check_integrity() == []
    assert give(), "the rest"
    assert set(queue.job_states().values()) == {changed}
