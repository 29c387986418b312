"""The deletion test on a grid: networks that are known to look at one place, and curves by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.curves import blurred
from engine.core.deletion import GRID, STEPS, DeletionTest, cell_masks, chance_order, map_order, run_deletion
from tests.core.test_curves import SIDE, corner_images, corner_maps, looks_at_a_corner

KEYS = ["0123456789abcdef", "fedcba9876543210", "00ff00ff00ff00ff"]


def follow_corners(maps: torch.Tensor, **more: Any) -> DeletionTest:
    return run_deletion(looks_at_a_corner, corner_images(), KEYS, {"gradcam": maps}, lambda done, total: None, **more)


def test_a_map_of_what_the_network_needs_gains_on_chance_and_its_opposite_loses() -> None:
    for curve in ("deletion", "insertion"):
        assert follow_corners(corner_maps(right=True)).gain("gradcam", curve, "chance").min() > 0.02
        assert follow_corners(corner_maps(right=False)).gain("gradcam", curve, "chance").max() < 0


def test_the_same_map_for_every_image_gains_nothing_on_other_maps() -> None:
    assert not follow_corners(corner_maps(right=True)).gain("gradcam", "deletion", "others").any()


def test_others_are_the_maps_of_the_next_image() -> None:
    maps = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1))
    own, turned = follow_corners(maps), follow_corners(maps.roll(-1, 0))
    np.testing.assert_array_equal(own.others["gradcam"].deletion, turned.own["gradcam"].deletion)


def test_a_flat_map_is_chance_itself() -> None:
    found = follow_corners(torch.ones(3, 5, 5))
    np.testing.assert_array_equal(found.own["gradcam"].deletion, found.chance.deletion)
    assert not found.gain("gradcam", "insertion", "chance").any()


def test_curves_are_those_of_cells_taken_away_by_hand() -> None:
    maps = torch.rand(3, GRID, GRID, generator=torch.Generator().manual_seed(1))
    image, order = corner_images()[0], map_order(maps[0], SIDE, GRID, chance_order(KEYS[0], GRID))
    whole = image.float()
    mean, bare = whole.mean((1, 2)), blurred(image)
    deleted, inserted = whole.clone(), bare.clone()
    curves = []
    for step in range(STEPS + 1):
        for cell in order[:0] if step == 0 else order[(step - 1) * GRID : step * GRID]:
            inside = [
                (y, x)
                for y in range(SIDE)
                for x in range(SIDE)
                if (y * GRID // SIDE, x * GRID // SIDE) == divmod(int(cell), GRID)
            ]
            for y, x in inside:
                deleted[:, y, x], inserted[:, y, x] = mean, whole[:, y, x]
        shown = torch.stack([deleted, inserted]).round().to(torch.uint8)
        curves.append(looks_at_a_corner(shown).softmax(1)[:, 0].tolist())
    found = follow_corners(maps).own["gradcam"]
    known = np.array(curves).T
    np.testing.assert_allclose(np.stack([found.deletion[0], found.insertion[0]]), known, atol=1e-6)
    areas = (known[:, 1:] + known[:, :-1]).sum(1) / 2 / STEPS
    assert [found.area("deletion")[0], found.area("insertion")[0]] == pytest.approx(areas.tolist(), abs=1e-6)


@pytest.mark.parametrize("side", [14, 20, 32, 96])
def test_masks_cover_whole_cells_and_in_the_end_everything(side: int) -> None:
    masks = cell_masks(chance_order(KEYS[0], GRID), side, GRID)
    assert not masks[0].any()
    assert bool(masks[-1].all())
    assert all(bool((small <= large).all()) for small, large in itertools.pairwise(masks))
    for mask in masks:
        assert len(set(zip(*np.nonzero(mask.numpy()), strict=True))) == int(mask.sum())
        cells = {(int(y) * GRID // side, int(x) * GRID // side) for y, x in mask.nonzero().tolist()}
        full = [(y * GRID // side, x * GRID // side) in cells for y in range(side) for x in range(side)]
        assert sum(full) == int(mask.sum())


def test_the_order_of_chance_is_the_images_own() -> None:
    first, again, other = (chance_order(key, GRID).tolist() for key in (KEYS[0], KEYS[0], KEYS[1]))
    assert first == again != other
    assert sorted(first) == list(range(GRID * GRID))
