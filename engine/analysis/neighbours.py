"""How near two trials are: takes a space and settings drawn from it, gives places, distances and the nearest ones.

Each axis goes from 0 to 1, numbers of `log` by their logarithm. The distance is Gower's (1971, A general coefficient of
similarity): the mean over the axes of how far two trials are apart on each; two choices that differ are 1 apart, and
so are a setting that was drawn and one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.analysis.searches import SearchedArm, Tried
from engine.spec.search import Axis

MOST_NEAR = 5


def place_on(axis: Axis, value: Any) -> float:
    """Return where a value lies between the ends of its axis, 0 to 1; choices by their order."""
    if axis.kind == "choice":
        return axis.values.index(value) / max(1, len(axis.values) - 1)
    low, high = axis.values
    if axis.kind == "log":
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return float((value - low) / (high - low))


def distance(space: Mapping[str, Axis], one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Return how far two draws are apart, 0 to 1."""
    return sum(_apart(axis, path, one, other) for path, axis in space.items()) / max(1, len(space))


def _apart(axis: Axis, path: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    if path not in one or path not in other:
        return float((path in one) != (path in other))
    if axis.kind == "choice":
        return float(one[path] != other[path])
    return abs(place_on(axis, one[path]) - place_on(axis, other[path]))


def nearest(arm: SearchedArm, to: Tried, most: int = MOST_NEAR) -> list[tuple[float, Tried]]:
    """Return the compared trials nearest to one, with their distances; of equally near ones the earlier."""
    others = [one for one in arm.compared if one.trial != to.trial]
    found: Sequence[tuple[float, Tried]] = [(distance(arm.space, to.drawn, one.drawn), one) for one in others]
    return sorted(found, key=lambda pair: (pair[0], pair[1].trial))[:most]
