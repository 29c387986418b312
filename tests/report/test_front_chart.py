"""Accuracy against latency: the same bytes each time, and names that lie neither on one another nor on marks."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from engine.report.charts.files import to_svg
from engine.report.charts.style import MOST_NAMES
from engine.report.front_chart import Front, FrontPoint, draw_front


def point(arm: str, ms: float, right: float, share: float = 0.5, place: int = 0) -> FrontPoint:
    return FrontPoint(arm, place, "whole", ms, (0.9 * ms, 1.1 * ms), right, (right - 2, right + 2), share)


def crowd(count: int, seed: int) -> Front:
    draw = random.Random(seed)
    points = [
        point(f"arm_{at}_of_many", draw.uniform(8, 12), draw.uniform(80, 95), draw.random(), at) for at in range(count)
    ]
    return Front("front", "A title", "ms", "%", points)


def boxes(figure: Figure) -> list[Bbox]:
    figure.draw_without_rendering()
    texts = [one for one in figure.axes[0].texts if isinstance(one, Annotation)]
    return [one.get_window_extent().padded(-1) for one in texts]


@pytest.mark.parametrize("seed", range(3))
def test_no_name_lies_on_another_or_outside(seed: int) -> None:
    figure = draw_front(crowd(9, seed))
    found, frame = boxes(figure), figure.axes[0].get_window_extent()
    assert len(found) == 9
    assert not any(one.overlaps(other) for one, other in combinations(found, 2))
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in found)


def test_too_many_arms_are_named_where_they_may_be_on_the_front() -> None:
    front = crowd(MOST_NAMES + 4, 1)
    named = len(boxes(draw_front(front)))
    assert named == sum(one.share > 0.05 for one in front.points[: MOST_NAMES + 4]) or named == MOST_NAMES


def test_a_chart_is_the_same_byte_for_byte() -> None:
    one, other = (to_svg(draw_front(crowd(4, 1)), "front") for _ in range(2))
    assert one == other


def test_standing_is_by_the_share_of_draws() -> None:
    shares = {0.95: "on the front", 0.94: "open", 0.06: "open", 0.05: "behind it", 0.0: "behind it"}
    assert {share: point("a", 1, 1, share).standing for share in shares} == shares


def test_arms_without_intervals_are_drawn() -> None:
    bare = [replace(point(name, 10, 90), span=None, top=None) for name in ("a", "b")]
    assert len(boxes(draw_front(Front("front", "A title", "ms", "%", bare)))) == 2


def test_it_says_how_wide_it_is() -> None:
    front = crowd(2, 0)
    assert draw_front(front).get_figwidth() == pytest.approx(front.width)
