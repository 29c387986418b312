"""Maps whose highest place and mass are known hit or miss as they must; what says nothing is told as chance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import binom

from engine.core.pointing import TOLERANCE, deal_p, hits_p, play_pointing

SIDE = 224


def object_at(*edges: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    left, top, right, bottom = edges
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def peak_at(row: int, column: int, places: int = 14) -> torch.Tensor:
    one = torch.full((places, places), 0.1)
    one[row, column] = 1.0
    return one


def test_a_peak_hits_within_fifteen_pixels_and_misses_beyond() -> None:
    """The cell in row 0 and column 5 has its centre at pixel (88, 8)."""
    assert pytest.approx(15.0) == TOLERANCE * SIDE
    boxes = {(80, 0, 100, 20): 1, (88 + 15, 0, 200, 20): 1, (88 + 16, 0, 200, 20): 0, (80, 24, 96, 60): 0,
             (88 + 11, 8 + 11, 150, 150): 0, (88 + 10, 8 + 10, 150, 150): 1, (80, 23, 96, 60): 1}  # fmt: skip
    maps = torch.stack([peak_at(0, 5)] * len(boxes))
    found = play_pointing(maps, np.stack([object_at(*edges) for edges in boxes]))
    assert found.hits.tolist() == list(boxes.values())


def test_the_chance_is_the_share_of_places_that_hit() -> None:
    one = object_at(64, 64, 128, 160)  # columns 3 to 8 have their centres from 56 to 136, rows 3 to 10 from 56 to 168
    found = play_pointing(peak_at(0, 0)[None], one[None])
    near = [
        min(np.hypot(max(64 - x, 0, x - 127), max(64 - y, 0, y - 159)) for _ in (0,)) <= 15
        for y, x in itertools.product(range(8, 224, 16), range(8, 224, 16))
    ]
    assert found.chance.tolist() == [sum(near) / 196]
    grown = (64 * 96 + 2 * 15 * (64 + 96) + np.pi * 15**2) / SIDE**2
    assert found.chance[0] == pytest.approx(grown, abs=0.05)


@pytest.mark.parametrize("level", [1.0, 0.0])
def test_a_flat_map_has_the_area_of_the_object_as_energy(level: float) -> None:
    objects = np.stack([object_at(10, 20, 90, 60), object_at(0, 0, 224, 112)])
    found = play_pointing(torch.full((2, 7, 7), level), objects)
    np.testing.assert_allclose(found.energy, [80 * 40 / SIDE**2, 0.5])
    np.testing.assert_allclose(found.energy, found.area)


def test_a_map_that_lies_on_the_object_has_all_its_energy_there() -> None:
    one = torch.zeros(14, 14)
    one[4:8, 4:8] = 1.0  # bilinear: half a cell beyond is not 0
    inside, outside = object_at(48, 48, 144, 144), object_at(150, 150, 220, 220)
    found = play_pointing(torch.stack([one, one]), np.stack([inside, outside]))
    assert found.energy.tolist() == pytest.approx([1.0, 0.0])


def test_a_map_of_the_middle_hits_the_objects_of_others_as_well() -> None:
    middle = object_at(92, 92, 132, 132)
    found = play_pointing(torch.stack([peak_at(7, 7)] * 6), np.stack([middle] * 6))
    assert found.hits.tolist() == found.others.tolist() == [1.0] * 6
    assert found.chance_p < 0.001
    assert found.others_p == 1.0


def test_maps_that_follow_their_objects_beat_both_chances() -> None:
    corners = [(0, 0), (0, 13), (13, 0), (13, 13), (0, 6), (6, 0)]
    maps = torch.stack([peak_at(*place) for place in corners])
    objects = np.stack([object_at(16 * x, 16 * y, 16 * x + 16, 16 * y + 16) for y, x in corners])
    found = play_pointing(maps, objects)
    assert (found.hits.sum(), found.others.sum()) == (6, 0)
    assert found.chance_p < 1e-6
    assert found.others_p < 0.01


def test_tests_are_those_of_tables() -> None:
    for hits in range(6):
        assert hits_p(hits, np.full(5, 0.3)) == pytest.approx(binom.sf(hits - 1, 5, 0.3))
    chances = np.array([0.2, 0.9, 0.5])
    by_hand = sum(
        np.prod([p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True)])
        for outcome in itertools.product((0, 1), repeat=3)
        if sum(outcome) >= 2
    )
    assert hits_p(2, chances) == pytest.approx(by_hand)


def test_dealing_is_the_share_of_all_deals() -> None:
    table = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0]], dtype=np.float64)
    deals = list(itertools.permutations(range(4)))
    exact = sum(sum(table[row, at] for row, at in enumerate(deal)) >= 3 for deal in deals) / len(deals)
    assert deal_p(table, 0) == pytest.approx(exact, abs=0.02)
    assert deal_p(np.ones((1, 1)), 0) == 1.0


def test_random_maps_pass_no_test_too_often() -> None:
    """One-sided p below 0.1 in about a tenth of the draws at most, where maps know nothing."""
    draw = np.random.default_rng(0)
    objects = np.stack([object_at(x, y, x + 90, y + 90) for x, y in draw.integers(0, 130, (12, 2))])
    few = torch.from_numpy(draw.random((60, 12, 7, 7)))
    p = [play_pointing(maps.float(), objects).chance_p for maps in few]
    assert np.mean(np.array(p) < 0.1) < 0.2


def test_every_figure_is_of_its_own_image() -> None:
    maps = torch.stack([peak_at(0, 0), peak_at(13, 13)])
    objects = np.stack([object_at(0, 0, 32, 32), object_at(0, 0, 64, 64)])
    found = play_pointing(maps, objects)
    assert found.hits.tolist() == [1.0, 0.0]
    assert found.others.tolist() == [1.0, 0.0]  # the first map hits the second's object, the second nothing
    assert found.area.tolist() == [32**2 / SIDE**2, 64**2 / SIDE**2]
