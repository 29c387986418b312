"""Queries of people: few at once, ended by their ticket or their time, and others are told."""

from __future__ import annotations

import threading
import time

import pytest

from engine.errors import QueryError
from engine.home.paths import Home
from engine.serve import query_runs
from engine.serve.query_runs import QueryRuns

ENDLESS = "select count(*) from range(100000000) a, range(100000000) b where a.range * b.range % 7 = 3"


def begin(runs: QueryRuns, home: Home, ticket: str, told: list[str]) -> threading.Thread:
    def ask() -> None:
        try:
            runs.ask(home, ENDLESS, ticket)
        except QueryError as error:
            told.append(error.what)

    thread = threading.Thread(target=ask)
    thread.start()
    end = time.monotonic() + 60
    while ticket not in runs._stops and time.monotonic() < end:
        time.sleep(0.01)
    return thread


def test_a_query_is_cancelled_by_its_ticket(done_home: Home) -> None:
    runs, told = QueryRuns(), list[str]()
    thread = begin(runs, done_home, "mine", told)
    assert not runs.cancel("another")
    while thread.is_alive():  # one that has not begun yet hears nothing
        runs.cancel("mine")
        thread.join(0.05)
    assert told == ["cancelled"]
    assert not runs.cancel("mine")
    assert runs.ask(done_home, "select 1 as one").rows == [(1,)]


def test_a_query_that_never_ends_is_ended(done_home: Home) -> None:
    with pytest.raises(QueryError, match=r"more than 0\.3 seconds"):
        QueryRuns(seconds=0.3).ask(done_home, ENDLESS)


def test_more_than_two_wait_and_are_told(done_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_runs, "PATIENCE", 0.05)
    runs, told = QueryRuns(seconds=60), list[str]()
    threads = [begin(runs, done_home, ticket, told) for ticket in ("one", "two")]
    with pytest.raises(QueryError, match="2 queries run here"):
        runs.ask(done_home, "select 1")
    for ticket, thread in zip(("one", "two"), threads, strict=True):
        while thread.is_alive():
            runs.cancel(ticket)
            thread.join(0.05)
    assert runs.ask(done_home, "select 1 as one").rows == [(1,)]


def test_without_results_nothing_is_taken_in(empty_home: Home) -> None:
    with pytest.raises(QueryError, match="no results yet"):
        QueryRuns().ask(empty_home, "select 1")
    assert not empty_home.results_db.exists()
