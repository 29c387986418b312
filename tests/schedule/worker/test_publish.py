"""Collecting beside the loop: when a call is due, one at a time, and a last one at the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.schedule.worker.publish import NOT_COLLECTED, Publisher


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("engine.schedule.worker.publish.time.monotonic", lambda: now[0])
    return now


def make(folder: Path, between: Callable[[Home], object] | None) -> tuple[Publisher, list[Home]]:
    last: list[Home] = []
    return Publisher(Home(folder, folder), last.append, between, every=2.0), last


def finish_call(publisher: Publisher) -> None:
    if publisher.thread is not None:
        publisher.thread.join()


def test_a_call_is_made_for_news_and_not_more_often_than_asked(tmp_path: Path, clock: list[float]) -> None:
    calls: list[Home] = []
    publisher, _ = make(tmp_path, calls.append)
    publisher.turn()
    assert publisher.thread is None, "nothing is new"
    for seconds, expected in ((0.0, 1), (1.9, 1), (0.1, 2), (5.0, 3)):
        publisher.note()
        clock[0] += seconds
        publisher.turn()
        finish_call(publisher)
        assert len(calls) == expected
        thread: threading.Thread | None = publisher.thread
        assert thread is not None
        assert thread.daemon, "a collection that hangs does not keep the scheduler from ending"
    clock[0] += 5.0
    publisher.turn()
    finish_call(publisher)
    assert (len(calls), calls[0]) == (3, publisher.home), "the news was told"


def test_one_call_at_a_time(tmp_path: Path, clock: list[float]) -> None:
    calls, go = list[Home](), threading.Event()

    def slow(home: Home) -> None:
        calls.append(home)
        go.wait(60)

    publisher, last = make(tmp_path, slow)
    publisher.note()
    publisher.turn()
    first = publisher.thread
    publisher.note()
    clock[0] += 100.0
    publisher.turn()
    assert publisher.thread is first
    assert publisher.is_due, "what came meanwhile is for the next call"
    go.set()
    publisher.finish()
    assert first is not None
    assert (first.is_alive(), len(calls), len(last)) == (False, 1, 1)


@pytest.mark.parametrize(("is_last", "has_news", "expected"), [(True, True, 1), (False, True, 0), (True, False, 0)])
def test_the_last_call_is_for_news_and_not_in_a_hurry(
    tmp_path: Path, is_last: bool, has_news: bool, expected: int
) -> None:
    publisher, last = make(tmp_path, None)
    if has_news:
        publisher.note()
    publisher.turn()
    publisher.finish(is_last=is_last)
    assert len(last) == expected
    Publisher(Home(tmp_path, tmp_path), None, None).finish()


def test_a_call_that_fails_is_due_again_and_told_in_full_once(
    tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Home) -> None:
        raise OSError("locked")

    publisher, _ = make(tmp_path, broken)
    publisher.note()
    for _ in range(2):
        clock[0] += 2.0
        with caplog.at_level(logging.ERROR):
            publisher.turn()
            finish_call(publisher)
        assert publisher.is_due
    assert [record.exc_info is not None and bool(record.exc_info) for record in caplog.records] == [True, False]
    publisher.turn()
    assert len(caplog.records) == 2, "not before its time"


def test_that_collecting_goes_on_is_told_once(
    tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    troubles = [OSError("disk I/O error\n[SQL: select]"), None, None]

    def collect(_: Home) -> None:
        if error := troubles.pop(0):
            raise error

    publisher, _ = make(tmp_path, collect)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            publisher.note()
            clock[0] += 2.0
            publisher.turn()
            finish_call(publisher)
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"{NOT_COLLECTED}disk I/O error", "collecting goes on"]
