"""What goes to a job in its order, and what tells one attempt from another."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from engine.launch import Handle, Order, State, Status

ORDER = Order("/home", "/cache", "train-1", 3, "/home/jobs/train-1/attempts/3", {"a": 1}, "GPU-5a", 7.5, 2, {"X": "y"})


def test_a_job_gets_these_words_and_no_others() -> None:
    """Folder and environment are for who starts it: the job finds both in place."""
    assert ORDER.as_dict() == {
        "home": "/home",
        "cache": "/cache",
        "job": "train-1",
        "attempt": 3,
        "details": {"a": 1},
        "slot": "GPU-5a",
        "grace": 7.5,
        "ooms": 2,
    }


def test_an_order_without_more_sets_nothing() -> None:
    plain = Order("/home", "/cache", "train-1", 1, "/folder", {}, "cpu:0", 1.0)
    assert (plain.ooms, plain.env) == (0, {})
    assert plain.env is not Order("/home", "/cache", "train-1", 1, "/folder", {}, "cpu:0", 1.0).env


def test_a_handle_differs_in_each_of_its_words() -> None:
    """Polls answer by handle: two that differ in anything are two attempts."""
    handle = Handle("train-1", 1, "/folder", 7, 99, "here", "boot")
    changes: list[dict[str, Any]] = [{field.name: "x" if field.type == "str" else 5} for field in fields(handle)]
    others = [replace(handle, **change) for change in changes]
    assert len({handle, *others}) == 1 + len(others) == 8
    assert Handle("train-1", 1, "/folder") == Handle("train-1", 1, "/folder", 0, 0, "", "")


def test_a_status_says_nothing_that_nobody_saw() -> None:
    assert Status(State.GONE) == Status(State.GONE, None, has_started=True)
    assert [str(state) for state in State] == ["queued", "running", "gone", "unknown"]


def test_orders_and_handles_cannot_be_changed() -> None:
    for one, name in ((ORDER, "attempt"), (Handle("train-1", 1, "/folder"), "pid"), (Status(State.GONE), "exit")):
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, 9)
