"""How the best grew, against every order of a few trials and against a closed form."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from engine.analysis.orders import best_so_far, order_band

GOALS = [0.3, None, 0.5, 0.4]
COSTS = [1.0, 2.0, 3.0, 4.0]


def test_best_begins_with_the_first_figure_and_never_falls() -> None:
    assert best_so_far(GOALS, COSTS) == [(1.0, 0.3), (3.0, 0.3), (6.0, 0.5), (10.0, 0.5)]
    assert best_so_far([None, 0.2], [1.0, 1.0]) == [(2.0, 0.2)]
    assert best_so_far([], []) == []


def test_band_is_that_of_all_orders() -> None:
    """At the middle of the grid's steps, where an end of a trial is nowhere near."""
    band = order_band(GOALS, COSTS, orders=4000)
    assert band is not None
    for spent, low, middle, high in zip(band.spent, band.low, band.middle, band.high, strict=True):
        held = sorted(_best_at(spent, order) for order in itertools.permutations(range(4)))
        below = [sum(value <= edge for value in held) / 24 for edge in (low, middle, high)]
        above = [sum(value < edge for value in held) / 24 for edge in (low, middle, high)]
        for level, upto, before in zip((0.1, 0.5, 0.9), below, above, strict=True):
            assert before - 0.03 <= level <= upto + 0.03
    assert band.high[-1] == band.low[-1] == 0.5
    assert band.spent[-1] == sum(COSTS)


def _best_at(spent: float, order: tuple[int, ...]) -> float:
    ends = np.cumsum([COSTS[at] for at in order])
    done = [GOALS[at] for at, end in zip(order, ends, strict=True) if end <= spent + 1e-9]
    return max((one for one in done if one is not None), default=-math.inf)


def test_band_of_equal_costs_is_the_hypergeometric_maximum() -> None:
    """Of n trials the best of k is at most the i-th smallest with probability C(i, k) / C(n, k)."""
    count = 20
    band = order_band([float(at) for at in range(1, count + 1)], [1.0] * count, orders=4000)
    assert band is not None
    for spent, middle in zip(band.spent, band.middle, strict=True):
        k = int(spent + 1e-9)
        chances = [math.comb(i, k) / math.comb(count, k) for i in range(count + 1)]
        assert chances[int(middle) - 1] - 0.03 <= 0.5 <= chances[int(middle)] + 0.03


@pytest.mark.parametrize(("goals", "costs"), [([0.5, None], [1.0, 1.0]), ([0.5, 0.6], [0.0, 0.0]), ([], [])])
def test_without_two_figures_or_time_there_is_no_band(goals: list[float | None], costs: list[float]) -> None:
    assert order_band(goals, costs) is None
