"""The front of several figures: takes points (more is better in each), gives those on it, and the volume they dominate.

Hypervolume: Zitzler and Thiele 1998, Multiobjective optimization using evolutionary algorithms; worked out exactly by
slices along one figure after the other (While et al. 2006, A faster algorithm for calculating hypervolume).
"""

from __future__ import annotations

from collections.abc import Sequence

Point = Sequence[float]


def front_places(points: Sequence[Point]) -> list[int]:
    """Return the places of the points that no other beats in one figure and equals in all; of equal ones the first."""
    found: list[int] = []
    for at, point in enumerate(points):
        if any(is_as_good(points[other], point) for other in found):
            continue
        found = [other for other in found if not is_as_good(point, points[other])] + [at]
    return found


def is_as_good(one: Point, other: Point) -> bool:
    """Whether a point is at least as good in every figure."""
    return all(a >= b for a, b in zip(one, other, strict=True))


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the volume of what lies between the reference and at least one point."""
    above = [tuple(point) for point in points if all(a > b for a, b in zip(point, reference, strict=True))]
    if not above:
        return 0.0
    if len(reference) == 1:
        return max(point[0] for point in above) - reference[0]
    above.sort(key=lambda point: -point[-1])
    steps = [point[-1] for point in above[1:]] + [reference[-1]]
    return sum(
        (point[-1] - below) * hypervolume([one[:-1] for one in above[: at + 1]], reference[:-1])
        for at, (point, below) in enumerate(zip(above, steps, strict=True))
        if point[-1] > below
    )


def growing_volumes(points: Sequence[Point | None], reference: Point) -> list[float]:
    """Return the volume after each of the points; None for one that has no figures, and changes nothing."""
    front: list[Point] = []
    found: list[float] = []
    for point in points:
        is_new = point is not None and not any(is_as_good(other, point) for other in front)
        if point is not None and is_new:
            front = [other for other in front if not is_as_good(point, other)] + [point]
        found.append(hypervolume(front, reference) if is_new or not found else found[-1])
    return found
