"""Which settings decide whether a trial is among the best: takes a space and trials, gives a share for each setting.

PED-ANOVA (Watanabe, Bansal and Hutter 2023, arXiv 2304.10255): how unlike the settings of the best trials are to those
of all, as the Pearson divergence of two densities, each by kernels on a grid, their width by Scott's rule. A setting
that only some trials draw counts by how many of either draw it (Conditional PED-ANOVA, arXiv 2601.20800).

With few trials any setting seems to decide something. So the same is worked out with the figures shuffled among the
trials: `p` is how often chance gives as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.analysis.critical import Floats
from engine.analysis.neighbours import place_on
from engine.spec.search import Axis

TOP = 0.1  # the share of the trials that are called best
STEPS = 50  # of the grid of a number without steps of its own
LEAST_DRAWN = 2  # trials that draw a setting, for a density
LEAST_WIDTH = 0.5 / 1.64  # steps: 90 % of a kernel lie on its own
PRIOR = 1.0  # trials that an even density counts for
TINY = 1e-12
SHUFFLES = 299
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Importance:
    """What a setting has in whether a trial is among the best: its divergence, as a share of all, and the p of
    `chance gives as much`."""

    path: str
    divergence: float
    share: float
    p: float


def importances(
    space: Mapping[str, Axis],
    draws: Sequence[Mapping[str, Any]],
    goals: Sequence[float],
    *,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> list[Importance]:
    """Return every setting's importance, the largest first; `goals` are the trials' figures, more being better."""
    grids = {path: _Grid.of(axis, path, draws) for path, axis in space.items()}
    figures = np.asarray(goals, dtype=np.float64)
    found = _divergences(grids, is_top(figures))
    draw = np.random.default_rng(seed)
    above = dict.fromkeys(space, 0)
    for _ in range(shuffles):
        chance = _divergences(grids, is_top(draw.permutation(figures)))
        for path in space:
            above[path] += chance[path] >= found[path]
    whole = sum(found.values())
    told = [
        Importance(path, each, each / whole if whole else 0.0, float(1 + above[path]) / (1 + shuffles))
        for path, each in found.items()
    ]
    return sorted(told, key=lambda one: -one.divergence)


def is_top(figures: Floats, share: float = TOP) -> Mask:
    """Return which trials are among the best: as many as the share says, and those that are as good as the last."""
    last = math.ceil(share * len(figures)) - 1
    found: Mask = figures >= np.sort(figures)[::-1][last]
    return found


@dataclass(frozen=True)
class _Grid:
    """One axis: how many places it has, whether they have an order, the place of each trial, -1 where it drew none."""

    size: int
    is_ordered: bool
    places: Places
    whole: Floats
    """The density of all trials."""

    @classmethod
    def of(cls, axis: Axis, path: str, draws: Sequence[Mapping[str, Any]]) -> _Grid:
        points = axis.points
        size = min(STEPS, len(points)) if points is not None and axis.kind != "choice" else STEPS
        size = len(axis.values) if axis.kind == "choice" else size
        places = np.array([_place(axis, draw[path], size) if path in draw else -1 for draw in draws], dtype=np.int64)
        is_ordered = axis.kind != "choice"
        return cls(size, is_ordered, places, density(places[places >= 0], size, is_ordered=is_ordered))

    def divergence(self, top: Mask) -> float:
        """Return the Pearson divergence of the best from all, times what share of each drew the setting."""
        is_drawn = self.places >= 0
        held = self.places[is_drawn & top]
        if self.size < 2 or np.sum(is_drawn) < LEAST_DRAWN or not len(held):
            return 0.0
        best = density(held, self.size, is_ordered=self.is_ordered)
        apart = float(self.whole @ (best / self.whole - 1) ** 2)
        return apart * (len(held) / float(np.sum(top))) ** 2 / float(np.mean(is_drawn))


def _place(axis: Axis, value: Any, size: int) -> int:
    if axis.kind == "choice":
        return axis.values.index(value)
    end = place_on(axis, axis.points[-1]) if axis.points else 1.0  # the last whole step may lie below the end
    return min(size - 1, max(0, math.ceil(place_on(axis, value) / end * (size - 1) - 0.5)))


def _divergences(grids: Mapping[str, _Grid], top: Mask) -> dict[str, float]:
    share = float(np.mean(top)) ** 2
    return {path: share * grid.divergence(top) for path, grid in grids.items()}


def density(places: Places, size: int, *, is_ordered: bool) -> Floats:
    """Return the density of places on a grid, float (size,): a kernel on each of them, and an even one."""
    counts = np.bincount(places, minlength=size).astype(np.float64)
    held = np.flatnonzero(counts)
    kernels = _normal_kernels(held, counts[held], size) if is_ordered else _choice_kernels(held, size)
    weights = np.append(counts[held], PRIOR)
    found: Floats = weights @ kernels / np.sum(weights) + TINY
    return found


def _choice_kernels(held: Places, size: int) -> Floats:
    """Each choice keeps nearly all of its weight; the last row is even."""
    kernels = np.full((len(held) + 1, size), PRIOR / (len(held) + 1))
    kernels[np.arange(len(held)), held] += 1
    found: Floats = kernels / np.sum(kernels, axis=1, keepdims=True)
    return found


def _normal_kernels(held: Places, weights: Floats, size: int) -> Floats:
    """Normal kernels over the cells of the grid, cut off at its ends; the last one is as wide as the grid."""
    from scipy.special import ndtr

    width = max(_scott_width(held, weights), LEAST_WIDTH)
    middles = np.append(held.astype(np.float64), (size - 1) / 2)[:, None]
    widths = np.append(np.full(len(held), width), float(size))[:, None]
    edges = ndtr((np.arange(size + 1) - 0.5 - middles) / widths)
    found: Floats = np.diff(edges, axis=1) / (edges[:, -1:] - edges[:, :1])
    return found


def _scott_width(held: Places, weights: Floats) -> float:
    """Scott's rule (1992, Multivariate Density Estimation), by the lesser of deviation and quartiles."""
    if not len(held):
        return 0.0
    whole, summed = np.sum(weights), np.cumsum(weights)
    mean = held @ weights / whole
    deviation = math.sqrt((held - mean) ** 2 @ weights / max(1.0, whole - 1))
    first = np.searchsorted(summed, whole // 4, side="left")
    third = min(len(held) - 1, int(np.searchsorted(summed, whole * 3 // 4, side="right")))
    return float(1.059 * min((held[third] - held[first]) / 1.34, deviation) * whole**-0.2)
