"""A view is a pure function of seed, number, key and version; the same crop at any size."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.data.augment import augment_views
from engine.core.data.draws import draw_uniform
from engine.core.data.sources import Pixels
from engine.core.data.views import Crop, draw_crop, render_center, render_crop, render_view
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
