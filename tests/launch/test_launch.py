"""How an order travels, and what tells one attempt from another."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home
from engine.launch import Handle, Order, State, Status

ORDER = Order(Home(Path("/home"), Path("/cache")), "train-1", 3, "GPU-5a", 2)


def test_an_order_is_a_folder_and_an_environment() -> None:
    assert ORDER.folder.root == Path("/home/jobs/train-1/attempts/3")
    told = {"XP_CACHE": "/cache", "XP_SLOT": "GPU-5a", "XP_OOMS": "2"}
    assert ORDER.environment == {**told, "CUDA_VISIBLE_DEVICES": "GPU-5a"}


def test_a_plain_order_has_a_cpu_slot() -> None:
    plain = Order(ORDER.home, "train-1", 1)
    assert (plain.slot, plain.ooms, plain.environment["CUDA_VISIBLE_DEVICES"]) == ("cpu:0", 0, "")


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
