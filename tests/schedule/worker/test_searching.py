"""When the scheduler has a child look at searches, and when it may leave."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from engine.home.paths import Home, open_home
from engine.schedule.growing import DUE, WAITING, mark_search
from engine.schedule.worker import searching
from engine.schedule.worker.searching import BUSY, Searcher, has_due_search


class Child:
    """A look that ends with `code` when it is asked for the second time."""

    codes: ClassVar[list[int]] = []
    started = 0

    def __init__(self, *_: object, **__: object) -> None:
        type(self).started += 1
        self.polls = 0

    def poll(self) -> int | None:
        self.polls += 1
        return None if self.polls == 1 else (self.codes.pop(0) if self.codes else 0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    Child.codes, Child.started = [], 0
    monkeypatch.setattr("engine.schedule.worker.searching.subprocess.Popen", Child)
    monkeypatch.setattr(searching, "AGAIN", 0.0)
    monkeypatch.setattr(searching, "LOOK", 0.0)
    return open_home(tmp_path / "home", create=True)


def begin(home: Home, state: str = WAITING) -> None:
    home.experiment("study").mkdir(parents=True)
    mark_search(home, "study", state)


def turn_on(searcher: Searcher, ended: int, *, is_idle: bool) -> int:
    """Turn until it lets the scheduler leave; return how many looks were begun."""
    before = Child.started
    for _ in range(20):
        if not searcher.turn(ended, is_idle=is_idle):
            return Child.started - before
    raise AssertionError("it never lets go")


def test_without_a_search_nobody_looks(home: Home) -> None:
    assert turn_on(Searcher(home), 0, is_idle=True) == 0


def test_one_look_for_what_ended_and_one_at_an_empty_queue(home: Home) -> None:
    begin(home)
    searcher = Searcher(home)
    assert turn_on(searcher, 3, is_idle=False) == 1
    assert turn_on(searcher, 3, is_idle=False) == 0
    assert turn_on(searcher, 4, is_idle=False) == 1
    assert turn_on(searcher, 4, is_idle=True) == 1
    assert turn_on(searcher, 4, is_idle=True) == 0, "it may leave: all that is open waits for a person"


def test_an_order_brings_a_look(home: Home) -> None:
    begin(home)
    searcher = Searcher(home)
    turn_on(searcher, 0, is_idle=True)
    mark_search(home, "study", DUE)
    assert has_due_search(home)
    assert searcher.turn(0, is_idle=True)
    assert Child.started == 2


def test_a_look_that_fails_is_tried_again_and_given_up(home: Home) -> None:
    begin(home)
    Child.codes = [1, 1, 1]
    searcher = Searcher(home)
    assert turn_on(searcher, 0, is_idle=True) == 3
    assert turn_on(searcher, 1, is_idle=True) == 1, "until something ends"


def test_another_one_at_work_is_waited_for(home: Home) -> None:
    begin(home)
    Child.codes = [BUSY] * 5
    assert turn_on(Searcher(home), 0, is_idle=True) == 6
