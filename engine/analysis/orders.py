"""How the best grew with what was spent: takes trials' figures and costs, gives how it went, and how in chance orders.

The trials of a search are one order of them. In a random order of the same trials the best so far is another: its
median is what Dodge et al. 2019 (Show Your Work, arXiv 1909.03004) call expected validation performance, here as a
median, without replacement, and by what was spent instead of the number of trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.analysis.critical import Floats

ORDERS = 1000
POINTS = 120  # where a band is worked out
LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Band:
    """The best after so much was spent, in random orders: 10 %, half and 90 % of them, from where 90 % have one."""

    spent: Sequence[float]
    low: Sequence[float]
    middle: Sequence[float]
    high: Sequence[float]


def best_so_far(goals: Sequence[float | None], costs: Sequence[float]) -> list[tuple[float, float]]:
    """Return what was spent and the best then, after each trial from the first that has a figure."""
    spent = np.cumsum(costs)
    best = np.maximum.accumulate(_figures(goals)) if len(goals) else np.array([])
    return [(float(at), float(one)) for at, one in zip(spent, best, strict=True) if np.isfinite(one)]


def order_band(
    goals: Sequence[float | None], costs: Sequence[float], *, orders: int = ORDERS, seed: int = 0
) -> Band | None:
    """Return the band over random orders; None where fewer than two trials have a figure, or nothing was spent."""
    figures, spent = _figures(goals), np.asarray(costs, dtype=np.float64)
    if np.sum(np.isfinite(figures)) < 2 or not np.sum(spent):
        return None
    grid, draw = np.linspace(0.0, float(np.sum(spent)), POINTS), np.random.default_rng(seed)
    drawn = (draw.permutation(len(figures)) for _ in range(orders))
    found = np.stack([_at(grid, figures[order], spent[order]) for order in drawn])
    low, middle, high = np.quantile(found, LEVELS, axis=0, method="nearest")
    held = np.flatnonzero(np.isfinite(low))
    return Band(*([float(one) for one in values[held]] for values in (grid, low, middle, high)))


def _at(grid: Floats, figures: Floats, costs: Floats) -> Floats:
    """Return the best at each point of a grid of what was spent; -inf before the first."""
    ends = np.cumsum(costs)
    ends[-1] = grid[-1]  # whatever the order of a sum does to its last bits
    best = np.append(-np.inf, np.maximum.accumulate(figures))
    found: Floats = best[np.searchsorted(ends, grid, side="right")]
    return found


def _figures(goals: Sequence[float | None]) -> Floats:
    return np.array([-np.inf if one is None else one for one in goals], dtype=np.float64)
