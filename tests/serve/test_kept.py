"""What takes long is made once for all who ask, and what failed is made anew."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.serve.kept import Kept


def test_all_who_ask_at_once_get_one() -> None:
    kept, made, go = Kept(), list[int](), threading.Event()

    def make() -> int:
        go.wait(5)
        made.append(1)
        return len(made)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(kept.get, "key", make) for _ in range(4)]
        go.set()
        assert {one.result(5) for one in asked} == {1}
    assert made == [1]


def test_a_failure_is_told_and_then_tried_again() -> None:
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        kept.get("key", lambda: 1 // 0)
    assert kept.find("key") is None
    assert kept.get("key", lambda: 2) == 2


def test_a_failure_in_a_thread_is_given_once() -> None:
    kept = Kept()
    first = kept.begin("key", lambda: 1 // 0)
    assert isinstance(first.exception(5), ZeroDivisionError)
    assert kept.begin("key", lambda: 3) is first
    assert kept.begin("key", lambda: 3).result(5) == 3


def test_what_is_begun_is_found_when_it_is_there() -> None:
    kept, go = Kept(), threading.Event()

    def make() -> str:
        go.wait(5)
        return "value"

    future = kept.begin("key", make)
    assert kept.find("key") is None
    go.set()
    assert future.result(5) == kept.find("key") == "value"


def test_the_longest_unasked_goes_first() -> None:
    kept = Kept(most=2)
    for name in ("one", "two"):
        kept.put(name, name)
    kept.find("one")
    kept.put("three", "three")
    assert [kept.find(name) for name in ("one", "two", "three")] == ["one", None, "three"]
