"""Fronts and the volume that they dominate, against a count of cells and against every pair."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from engine.analysis.trial_fronts import front_places, growing_volumes, hypervolume


def drawn(count: int, figures: int, most: int = 6, seed: int = 0) -> list[tuple[float, ...]]:
    """Whole numbers, so that many are equal in some figure."""
    draw = random.Random(seed)
    return [tuple(float(draw.randint(0, most)) for _ in range(figures)) for _ in range(count)]


def counted_cells(points: list[tuple[float, ...]], reference: float, most: int = 6) -> float:
    """The volume by brute force: cells of side 1 between the reference and some point."""
    corners = np.array(list(itertools.product(np.arange(reference, most), repeat=len(points[0]))))
    held = np.array(points)
    return float(sum(np.any(np.all(held >= corner + 1, axis=1)) for corner in corners))


@pytest.mark.parametrize("figures", [1, 2, 3, 4])
@pytest.mark.parametrize("reference", [0.0, 2.0])
def test_hypervolume_is_the_count_of_cells(figures: int, reference: float) -> None:
    points = drawn(12, figures, seed=figures)
    assert hypervolume(points, [reference] * figures) == pytest.approx(counted_cells(points, reference))


def test_hypervolume_is_that_of_optuna() -> None:
    other = pytest.importorskip("optuna._hypervolume", reason="needs the extra `search`")
    points = np.random.default_rng(0).random((30, 3))
    ours = hypervolume([tuple(point) for point in points], [0.2] * 3)
    below = points[np.all(points > 0.2, axis=1)]  # which is of less being better
    assert ours == pytest.approx(other.compute_hypervolume(-below, np.full(3, -0.2)))


def test_points_that_do_not_pass_the_reference_have_no_volume() -> None:
    assert hypervolume([(1.0, 0.0), (0.0, 5.0)], (0.0, 0.0)) == 0.0
    assert hypervolume([], (0.0, 0.0)) == 0.0


@pytest.mark.parametrize("figures", [1, 2, 3])
def test_front_is_what_no_other_beats_and_the_first_of_equals(figures: int) -> None:
    points = drawn(40, figures, seed=3)
    wanted = [
        at for at, one in enumerate(points)
        if not any(all(b >= a for a, b in zip(one, other, strict=True)) and (other != one or place < at)
                   for place, other in enumerate(points) if place != at)
    ]  # fmt: skip
    assert front_places(points) == wanted


def test_volume_grows_with_each_point_as_if_worked_out_anew() -> None:
    points = [*drawn(20, 2), None, *drawn(5, 2, seed=9)]
    told = growing_volumes(points, (0.0, 0.0))
    for at in range(len(points)):
        held = [one for one in points[: at + 1] if one is not None]
        assert told[at] == pytest.approx(hypervolume(held, (0.0, 0.0)))
    assert growing_volumes([None, (1.0, 1.0)], (0.0, 0.0)) == [0.0, 1.0]
