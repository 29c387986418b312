"""Deletion and insertion against networks that are known to look at one place, and against curves by hand."""

from __future__ import annotations

import itertools

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from engine.core.curves import BLUR_SHARE, STEPS, blurred, follow_curves, removal_masks

SIDE = 32


def looks_at_a_corner(images: Tensor) -> Tensor:
    """Two classes: the first where the upper left quarter is full of contrast, whatever the rest is."""
    level = 40 * ((images.float() / 255)[:, :, :16, :16].flatten(1).std(1) - 0.2)
    return torch.stack([level, torch.zeros_like(level)], 1)


def corner_images() -> Tensor:
    return torch.randint(0, 256, (3, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def corner_maps(*, right: bool) -> Tensor:
    maps = torch.zeros(3, 4, 4)
    maps[:, :2, :2] = 1.0 if right else -1.0
    return maps


def test_a_map_of_what_the_network_needs_beats_its_opposite_and_chance() -> None:
    right, wrong = (follow_curves(looks_at_a_corner, corner_images(), corner_maps(right=way)) for way in (True, False))
    assert (right.deletion_auc < wrong.deletion_auc).all()
    assert (right.insertion_auc > wrong.insertion_auc).all()
    assert float(right.deletion_gain.min()) > 0.05
    assert float(right.insertion_gain.min()) > 0.05
    assert float(wrong.insertion_gain.max()) < -0.05


def test_areas_are_those_of_curves_by_hand() -> None:
    images, maps = corner_images()[:1], corner_maps(right=True)[:1]
    masks = removal_masks(maps[0], SIDE)
    whole = images[0].float()
    mean = whole.mean((1, 2), keepdim=True).expand_as(whole)
    areas = []
    for full, empty in ((mean, whole), (whole, blurred(images[0]))):
        curve = []
        for mask in masks:
            shown = empty.clone()
            shown[:, mask] = full[:, mask]
            curve.append(float(looks_at_a_corner(shown.round().to(torch.uint8)[None]).softmax(1)[0, 0]))
        areas.append(sum((one + other) / 2 for one, other in itertools.pairwise(curve)) / STEPS)
    seen = follow_curves(looks_at_a_corner, images, maps)
    assert [float(seen.deletion_auc), float(seen.insertion_auc)] == pytest.approx(areas, abs=1e-6)


def test_the_class_followed_is_the_one_of_the_whole_image() -> None:
    """Turned round, the network says the second class of the whole image, and its curves are the same."""
    one = follow_curves(looks_at_a_corner, corner_images(), corner_maps(right=True))
    other = follow_curves(lambda images: looks_at_a_corner(images).flip(1), corner_images(), corner_maps(right=True))
    torch.testing.assert_close(one.deletion_auc, other.deletion_auc)


def test_a_network_that_does_not_look_gains_nothing() -> None:
    seen = follow_curves(lambda images: torch.ones(len(images), 4), corner_images(), corner_maps(right=True))
    torch.testing.assert_close(seen.deletion_auc, torch.full((3,), 0.25, dtype=torch.float64), check_dtype=False)
    assert not seen.deletion_gain.any()
    assert not seen.insertion_gain.any()


def test_masks_grow_in_even_steps_from_nothing_to_all() -> None:
    masks = removal_masks(torch.rand(5, 7, generator=torch.Generator().manual_seed(1)), SIDE)
    assert masks.sum((1, 2)).tolist() == [round(step * SIDE**2 / STEPS) for step in range(STEPS + 1)]
    assert all(bool((small <= large).all()) for small, large in itertools.pairwise(masks))


def test_equal_pixels_go_in_reading_order() -> None:
    masks = removal_masks(torch.zeros(3, 3), SIDE).flatten(1)
    for step, mask in enumerate(masks):
        assert mask[: step * SIDE**2 // STEPS].all()
        assert int(mask.sum()) == step * SIDE**2 // STEPS


def test_blur_is_scipys_gaussian() -> None:
    image = corner_images()[0]
    for channel, seen in zip(image, blurred(image), strict=True):
        known = gaussian_filter(channel.double().numpy(), SIDE / BLUR_SHARE, mode="nearest", truncate=3.0)
        torch.testing.assert_close(seen.double(), torch.from_numpy(known), rtol=0, atol=1e-3)
