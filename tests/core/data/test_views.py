"""A view is a pure function of seed, number, key and version; the same crop at any size."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from engine.core.data.augment import augment_views
from engine.core.data.decode import Pixels
from engine.core.data.draws import draw_uniform
from engine.core.data.views import Crop, center_crop, draw_crop, render_center, render_crop, render_view, whole_box
from engine.spec import Augment

KEY = "ab" * 32


def smooth_image(width: int, height: int) -> Pixels:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def test_views_look_as_they_always_did() -> None:
    """Cached targets outlive a release: these bits may change only together with VIEW_VERSION."""
    assert draw_uniform(0, 0, KEY, "crop", 0)[:2] == (0.5189546707955811, 0.9749496236677346)
    ramp = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    view = render_view(ramp, KEY, 3, 7, Augment(), 32)
    assert hashlib.sha256(view.numpy().tobytes()).hexdigest()[:16] == "07dac9ef3be4d536"


def test_colours_and_shears_look_as_they_always_did() -> None:
    """Fifty images draw every operation of RandAugment; whole numbers, so the bits are those of any machine."""
    ramp = torch.arange(3 * 16 * 16, dtype=torch.int64).mul(7).remainder(256).to(torch.uint8).view(1, 3, 16, 16)
    augment = Augment(rand_augment="rand-m9-inc1", color_jitter=0.4, erasing=0.25)
    views = augment_views(ramp.repeat(50, 1, 1, 1), [f"{number:064x}" for number in range(50)], 3, 7, augment)
    assert hashlib.sha256(views.numpy().tobytes()).hexdigest()[:16] == "eeceb7609f434fda"


def test_a_view_depends_on_seed_number_and_key_alone() -> None:
    image = smooth_image(120, 90)
    base = render_view(image, KEY, 2, 0, Augment(), 64)
    assert base.shape == (3, 64, 64)
    assert base.dtype == torch.uint8
    assert base.is_contiguous()
    assert torch.equal(base, render_view(image.copy(), KEY, 2, 0, Augment(), 64))
    for other in ((KEY, 3, 0), (KEY, 2, 1), ("cd" * 32, 2, 0)):
        assert not torch.equal(base, render_view(image, *other, Augment(), 64))


def test_draws_are_uniform_and_uncorrelated() -> None:
    draws = np.array([draw_uniform(0, view, KEY, "crop", 0) for view in range(4000)])
    assert draws.min() >= 0
    assert draws.max() < 1
    np.testing.assert_allclose(draws.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(draws.var(axis=0), 1 / 12, atol=0.01)
    correlations = np.corrcoef(draws.T) - np.eye(8)
    assert np.abs(correlations).max() < 0.08


@pytest.mark.parametrize("aspect", [1.0, 4 / 3, 0.2, 30.0])
def test_crops_keep_to_the_augmentation(aspect: float) -> None:
    augment = Augment(crop_scale=[0.3, 0.9], crop_ratio=[0.8, 1.25])
    crops = [draw_crop(KEY, view, 0, augment, aspect) for view in range(500)]
    for crop in crops:
        assert 0 <= crop.left <= crop.left + crop.width <= 1 + 1e-12
        assert 0 <= crop.top <= crop.top + crop.height <= 1 + 1e-12
        ratio = crop.width / crop.height * aspect
        assert 0.8 - 1e-9 <= ratio <= 1.25 + 1e-9
        if 0.5 < aspect < 2:
            assert 0.3 - 1e-9 <= crop.width * crop.height <= 0.9 + 1e-9
    assert 0.4 < np.mean([crop.flip for crop in crops]) < 0.6


def test_flip_one_mirrors_flip_zero() -> None:
    image = smooth_image(100, 80)
    plain = render_view(image, KEY, 0, 0, Augment(flip=0.0), 48)
    mirrored = render_view(image, KEY, 0, 0, Augment(flip=1.0), 48)
    assert torch.equal(plain.flip(2), mirrored)


@pytest.mark.parametrize(("width", "height"), [(200, 150), (12, 9)])
def test_two_sizes_show_the_same_crop(width: int, height: int) -> None:
    image = smooth_image(width, height)
    small = render_view(image, KEY, 5, 0, Augment(), 32).float()
    large = render_view(image, KEY, 5, 0, Augment(), 96).float()
    averaged = torch.nn.functional.avg_pool2d(large[None], 3)[0]
    assert (small - averaged).abs().mean() < 4


def test_both_kernels_agree_on_whole_pixels() -> None:
    image = smooth_image(160, 128)
    crop = Crop(0.25, 0.125, 0.5, 0.75)
    fast = render_crop(image, crop, 56).float()
    box = (40.0, 16.0, 120.0, 112.0)
    slow = np.asarray(Image.fromarray(image).resize((56, 56), Image.Resampling.BICUBIC, box=box))
    difference = (fast - torch.from_numpy(slow.copy()).permute(2, 0, 1).float()).abs()
    assert difference.max() <= 3
    assert difference.mean() < 0.5


def test_the_centre_is_the_centre() -> None:
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    image[:, 50:150] = 255
    assert (render_center(image, 32, 1.0) == 255).all()
    small = np.zeros((10, 20, 3), dtype=np.uint8)
    small[:, 5:15] = 255
    view = render_center(small, 32, 1.0)
    assert (view[:, :, 4:28] > 240).all()
    assert torch.equal(view, view.flip(2))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2000, 10), (3, 700), (64, 64)])
def test_any_shape_is_rendered(width: int, height: int) -> None:
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    for view in range(20):
        assert (render_view(image, KEY, view, 0, Augment(), 24) == 90).all()
    assert (render_center(image, 24, 0.875) == 90).all()


def crop_by_hand(key: str, view: int, seed: int, augment: Augment, aspect: float) -> Crop:
    """What the draws of a view say, written out: fifteen tries of area and ratio, then the widest central box."""
    blocks = [draw_uniform(seed, view, key, "crop", block) for block in range(4)]
    tries = [*blocks[0][:6], *blocks[1], *blocks[2], *blocks[3]]
    flip = draw_uniform(seed, view, key, "flip", 0)[0] < augment.flip
    (least, most), (low, high) = augment.crop_scale, augment.crop_ratio
    for first in range(0, 30, 2):
        area, ratio = least + (most - least) * tries[first], low * (high / low) ** tries[first + 1]
        wide, tall = math.sqrt(area * ratio / aspect), math.sqrt(area * aspect / ratio)
        if wide <= 1 and tall <= 1:
            return Crop(blocks[0][6] * (1 - wide), blocks[0][7] * (1 - tall), wide, tall, flip)
    wide, tall = min(1.0, high / aspect), min(1.0, aspect / low)
    return Crop((1 - wide) / 2, (1 - tall) / 2, wide, tall, flip)


@pytest.mark.parametrize("aspect", [1.0, 2.2, 0.3, 30.0, 0.05])
def test_crops_are_those_that_the_draws_say(aspect: float) -> None:
    augment = Augment(crop_scale=[0.3, 0.9], crop_ratio=[0.5, 1.5], flip=0.3)
    for view in range(150):
        crop, expected = draw_crop(KEY, view, 4, augment, aspect), crop_by_hand(KEY, view, 4, augment, aspect)
        assert crop.flip == expected.flip
        for name in ("left", "top", "width", "height"):
            assert getattr(crop, name) == pytest.approx(getattr(expected, name), abs=1e-9)


def test_the_centre_of_an_oblong_image_is_a_square_of_its_short_side() -> None:
    crop = center_crop(50, 100, 0.8)
    assert (crop.left, crop.top, crop.width, crop.height) == pytest.approx((0.3, 0.1, 0.4, 0.8))
    assert not crop.flip
    image = smooth_image(200, 100)
    expected = F.interpolate(
        torch.from_numpy(image[10:90, 60:140].copy()).permute(2, 0, 1)[None], (32, 32), mode="bicubic", antialias=True
    )[0]
    assert torch.equal(render_center(image, 32, 0.8), expected)


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        (Crop(0.25, 0.1, 0.5, 0.6), (50, 150, 10, 70)),
        (Crop(0.0, 0.0, 1.0, 1.0), (0, 200, 0, 100)),
        (Crop(0.0039, 0.257, 0.0001, 0.257), (1, 2, 26, 52)),
        (Crop(0.999, 0.996, 0.001, 0.004), (199, 200, 99, 100)),
        (Crop(0.5, 0.5, 0.5001, 0.5001), (100, 200, 50, 100)),
    ],
)
def test_whole_boxes_are_rounded_and_stay_inside(crop: Crop, expected: tuple[int, int, int, int]) -> None:
    assert whole_box(crop, 100, 200) == expected


def test_an_image_of_63_pixels_goes_through_pillow_and_one_of_64_through_torch() -> None:
    for width, height in ((90, 63), (63, 90), (90, 64), (64, 90)):
        image = smooth_image(width, height)
        if min(width, height) < 64:
            pixels = np.array(Image.fromarray(image).resize((24, 24), Image.Resampling.BICUBIC))
            expected = torch.from_numpy(pixels).permute(2, 0, 1)
        else:
            whole = torch.from_numpy(image).permute(2, 0, 1)[None]
            expected = F.interpolate(whole, (24, 24), mode="bicubic", antialias=True)[0]
        assert torch.equal(render_crop(image, Crop(0.0, 0.0, 1.0, 1.0), 24), expected)
        assert torch.equal(render_crop(image, Crop(0.0, 0.0, 1.0, 1.0, True), 24), expected.flip(2))


def test_a_small_crop_a_hair_outside_of_its_image_is_rendered() -> None:
    image = smooth_image(30, 20)
    hair = 1e-9
    for inside, beyond in (
        (Crop(0.5, 0.0, 0.5, 0.5), Crop(0.5, -hair, 0.5 + hair, 0.5)),
        (Crop(0.0, 0.5, 0.5, 0.5), Crop(-hair, 0.5, 0.5, 0.5 + hair)),
    ):
        difference = render_crop(image, inside, 16).int() - render_crop(image, beyond, 16).int()
        assert difference.abs().max() <= 1


def test_a_view_of_an_oblong_image_is_its_drawn_crop() -> None:
    image, augment = smooth_image(160, 80), Augment()
    for view in range(5):
        expected = render_crop(image, crop_by_hand(KEY, view, 3, augment, 2.0), 24)
        assert torch.equal(render_view(image, KEY, view, 3, augment, 24), expected)
