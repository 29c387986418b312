"""Each image is changed by its own draws alone, whatever batch it is in, and each operation does what its name says."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torch import Tensor

from engine.core.data import augment
from engine.core.data.augment import OPERATIONS, STEPS, augment_views, changes_pixels
from engine.core.data.loader import TrainLoader
from engine.core.data.pack import Pack
from engine.spec import Augment, Data

ALL = Augment(rand_augment="rand-m9-mstd0.5-n3-inc1", color_jitter=0.4, erasing=0.5)
KEYS = [f"{number:064x}" for number in range(64)]


@pytest.fixture(scope="module")
def images() -> Tensor:
    noise = np.random.default_rng(0)
    coarse = [Image.fromarray(noise.integers(0, 256, (5, 5, 3), dtype=np.uint8)) for _ in KEYS]
    pixels = [np.asarray(image.resize((40, 40), Image.Resampling.BICUBIC)) for image in coarse]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize("size", [1, 7, 32])
def test_an_image_comes_out_the_same_in_any_batch(images: Tensor, size: int) -> None:
    whole = augment_views(images.clone(), KEYS, 3, 0, ALL)
    for first in range(0, 64, size):
        part = augment_views(images[first : first + size].clone(), KEYS[first : first + size], 3, 0, ALL)
        assert torch.equal(part, whole[first : first + size])
    turned = list(reversed(range(64)))
    back = augment_views(images[turned].clone(), [KEYS[place] for place in turned], 3, 0, ALL)
    assert torch.equal(back.flip(0), whole)
    assert (whole != images).flatten(1).any(1).float().mean() > 0.9


def test_views_and_seeds_differ(images: Tensor) -> None:
    base = augment_views(images.clone(), KEYS, 0, 0, ALL)
    assert not torch.equal(base, augment_views(images.clone(), KEYS, 1, 0, ALL))
    assert not torch.equal(base, augment_views(images.clone(), KEYS, 0, 1, ALL))
    assert torch.equal(base, augment_views(images.clone(), KEYS, 0, 0, ALL))


def test_a_plain_augmentation_changes_nothing(images: Tensor) -> None:
    assert not changes_pixels(Augment())
    assert torch.equal(augment_views(images.clone(), KEYS, 0, 0, Augment()), images)


def test_every_word_of_an_augmentation_is_carried_out() -> None:
    """What crops and flips is in views.py, what mixes pairs in mixing.py; others are own code, or of STEPS."""
    elsewhere = {"crop_scale", "crop_ratio", "flip", "mixup", "cutmix", "mix_targets", "extra", "options"}
    assert set(Augment.model_fields) == elsewhere | set(STEPS)


def test_every_step_has_a_word() -> None:
    takes = {
        name
        for name, function in inspect.getmembers(augment, inspect.isfunction)
        if name[0] != "_" and list(inspect.signature(function).parameters)[:3] == ["images", "keys", "draw"]
    }
    assert {step.__name__ for step in STEPS.values()} == takes


@pytest.mark.parametrize("word", STEPS)
def test_each_step_alone_changes_pixels(word: str, images: Tensor) -> None:
    given = Augment.model_validate({word: ALL.model_dump()[word]})
    assert changes_pixels(given)
    assert not torch.equal(augment_views(images.clone(), KEYS, 0, 0, given), images)


def test_batches_are_bit_equal_with_every_augmentation(photo_pack: Pack) -> None:
    def by_row(batch_size: int, workers: int, views: int | None) -> dict[int, Tensor]:
        data = Data(source="digits", image_size=32, augment=ALL, workers=workers)
        loader = TrainLoader(photo_pack, np.arange(30), data, 32, batch_size, batch_size, views)
        return {
            int(row): image for batch in loader.epoch(1) for row, image in zip(batch.rows, batch.images, strict=True)
        }

    base = by_row(30, 0, None)
    for batch_size, workers, views in ((1, 0, None), (7, 2, None), (64, 1, 2)):
        other = by_row(batch_size, workers, views)
        assert all(torch.equal(image, base[row]) for row, image in other.items())


PEERS: dict[str, tuple[Callable[[Image.Image], Image.Image], float, int]] = {
    "auto_contrast": (ImageOps.autocontrast, 0.5, 1),
    "equalize": (ImageOps.equalize, 0.5, 0),
    "invert": (ImageOps.invert, 0.5, 0),
    "posterize": (lambda image: ImageOps.posterize(image, 2), 0.5, 0),
    "solarize": (lambda image: ImageOps.solarize(image, 128), 0.5, 0),
    "color": (lambda image: ImageEnhance.Color(image).enhance(1.45), 0.5, 2),
    "contrast": (lambda image: ImageEnhance.Contrast(image).enhance(1.45), 0.5, 2),
    "brightness": (lambda image: ImageEnhance.Brightness(image).enhance(0.55), -0.5, 1),
    "sharpness": (lambda image: ImageEnhance.Sharpness(image).enhance(1.45), 0.5, 1),
}


@pytest.mark.parametrize("name", sorted(PEERS))
def test_an_operation_does_what_pillows_does(images: Tensor, name: str) -> None:
    peer, level, tolerance = PEERS[name]
    ours = OPERATIONS[name](images[:8].clone(), torch.full((8,), level))
    for image, answer in zip(images[:8], ours, strict=True):
        expected = np.asarray(peer(Image.fromarray(image.permute(1, 2, 0).numpy())))
        difference = np.abs(answer.permute(1, 2, 0).numpy().astype(int) - expected.astype(int))
        assert difference.max() <= tolerance, name


def test_smoothing_uses_pillows_kernel() -> None:
    assert ImageFilter.SMOOTH.filterargs == ((3, 3), 13, 0, (1, 1, 1, 1, 5, 1, 1, 1, 1))


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_every_strength_gives_an_image(images: Tensor, name: str, level: float) -> None:
    flat = torch.full((2, 3, 24, 24), 7, dtype=torch.uint8)
    for batch in (images[:4].clone(), flat):
        answer = OPERATIONS[name](batch, torch.full((len(batch),), level))
        assert answer.dtype == torch.uint8
        assert answer.shape == batch.shape


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "translate_x", "translate_y", "brightness", "color"])
def test_strength_zero_changes_nothing(images: Tensor, name: str) -> None:
    answer = OPERATIONS[name](images[:4].clone(), torch.zeros(4))
    assert (answer.int() - images[:4].int()).abs().max() <= 1


def test_shifts_and_turns_go_where_they_should() -> None:
    spot = torch.zeros((1, 3, 20, 20), dtype=torch.uint8)
    spot[0, :, 9:11, 14:16] = 255
    left = OPERATIONS["translate_x"](spot, torch.tensor([1.0]))
    assert left[0, 0, 9:11, 5:7].min() == 255
    assert left[0, 0, :, 12:].float().median() == 128
    turned = OPERATIONS["rotate"](spot, torch.tensor([1.0]))[0, 0].float()
    assert turned.argmax().item() % 20 < 15


def test_erasing_replaces_one_box_in_its_share_of_images() -> None:
    plain = torch.zeros((64, 3, 40, 40), dtype=torch.uint8)
    erased = (augment_views(plain, KEYS, 0, 0, Augment(erasing=0.5)) > 0).any(dim=1)
    hit = erased.flatten(1).any(1)
    assert 0.3 < hit.float().mean() < 0.7
    for mask in erased[hit]:
        rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert box.float().mean() > 0.97
        assert 0.01 < box.numel() / 1600 < 0.4
