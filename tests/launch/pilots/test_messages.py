"""What is said between a scheduler and a pilot: every word comes back, and what is damaged is nothing."""

from __future__ import annotations

import json

import pytest

from engine.launch.pilots.messages import (
    ORDERS,
    TOLD,
    Began,
    Closed,
    Closing,
    Ended,
    LeaveOrder,
    Message,
    Opened,
    RunOrder,
    StacksOrder,
    StopOrder,
    read_order_line,
    read_told_line,
)

SAID: list[Message] = [
    Opened(node="n1", host="h", boot_id="b", pid=3, start=4, slots=["cpu:0"]),
    Began(job="j", attempt=1, pid=3, start=4),
    Ended(job="j", attempt=1, exit=-9, has_started=True, is_oom=True),
    Closing(why="idle"),
    Closed(),
]
ORDERED: list[Message] = [
    RunOrder(job="j", attempt=2, slot="cpu:0@n1/x-0", ooms=1, cache="/c"),
    StopOrder(job="j", attempt=2, grace=1.5),
    StacksOrder(job="j", attempt=2),
    LeaveOrder(),
]


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_what_was_told_comes_back(message: Message) -> None:
    assert read_told_line(json.loads(message.model_dump_json())) == message


@pytest.mark.parametrize("message", ORDERED, ids=lambda message: type(message).__name__)
def test_an_order_comes_back(message: Message) -> None:
    assert read_order_line(json.loads(message.model_dump_json())) == message


def test_every_kind_is_tried() -> None:
    assert {type(message) for message in SAID} == set(TOLD.values())
    assert {type(message) for message in ORDERED} == set(ORDERS.values())


@pytest.mark.parametrize(
    "line", [{}, {"told": "ended"}, {"told": "ended", "job": "j", "attempt": -1}, {"told": ["opened"]}, {"do": "run"}]
)
def test_a_damaged_line_is_nothing(line: dict[str, object]) -> None:
    assert read_told_line(line) is None
    assert read_order_line(line) is None


def test_words_of_a_later_version_are_left_out() -> None:
    assert read_told_line({"told": "closed", "since": 3}) == Closed()
