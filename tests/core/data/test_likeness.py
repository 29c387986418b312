"""Crops of thumbnails against Pillow and plain loops; two thumbnails are laid over each other where they belong."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from engine.core.data.likeness import (
    COSINES,
    THUMB_SIDE,
    Crop,
    Placement,
    Span,
    align_thumbs,
    cosines,
    crop_waves,
    detail_likeness,
    interval_means,
)

WHOLE = Span(0.0, 1.0)
SIDE = 320  # ten pixels of the picture to one of its thumbnail


def picture(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    return Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def thumb(image: Image.Image) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.asarray(image.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX))


def test_means_of_the_whole_line_are_its_pixels() -> None:
    np.testing.assert_allclose(interval_means(np.zeros(1), np.ones(1))[0], np.eye(THUMB_SIDE), atol=1e-12)


@pytest.mark.parametrize(("start", "size"), [(0.1, 0.8), (0.0, 0.9), (0.03, 0.5)])
def test_means_are_those_of_a_line_of_many_more_pixels(start: float, size: float) -> None:
    line = np.random.default_rng(0).normal(size=THUMB_SIDE)
    many = np.repeat(line, 3200)
    first, last = (round(at * len(many)) for at in (start, start + size))
    pieces = np.array_split(many[first:last], THUMB_SIDE)
    means = interval_means(np.array([start]), np.array([size]))[0] @ line
    np.testing.assert_allclose(means, [piece.mean() for piece in pieces], atol=2e-3)


def test_beyond_its_ends_a_line_goes_on_as_it_ends() -> None:
    line = np.arange(THUMB_SIDE, dtype=np.float64)
    means = interval_means(np.array([-0.25]), np.array([1.5]))[0] @ line
    assert means[0] == pytest.approx(0.0, abs=1e-6)
    assert means[-1] == pytest.approx(THUMB_SIDE - 1, abs=1e-6)
    assert (np.diff(means) >= -1e-9).all()


def test_waves_are_scipys_cosines_by_frequency_without_the_mean() -> None:
    noise = np.random.default_rng(1).normal(size=(3, THUMB_SIDE, THUMB_SIDE))
    waves = crop_waves(noise, Crop(WHOLE, WHOLE, False)).reshape(3, COSINES, COSINES)
    rows, columns = np.mgrid[:COSINES, :COSINES]
    for one, seen in zip(noise, waves, strict=True):
        known = scipy.fft.dctn(one, norm="ortho")[:COSINES, :COSINES] * np.hypot(rows, columns)
        np.testing.assert_allclose(seen, known / np.linalg.norm(known), atol=1e-12)
    np.testing.assert_allclose(cosines(THUMB_SIDE) @ cosines(THUMB_SIDE).T, np.eye(THUMB_SIDE), atol=1e-12)


def test_waves_of_a_mirrored_crop_are_those_of_the_mirrored_image() -> None:
    noise = np.random.default_rng(2).normal(size=(2, THUMB_SIDE, THUMB_SIDE))
    crop = (Span(0.1, 0.9), Span(0.05, 0.9))
    seen = crop_waves(noise, Crop(*crop, mirrored=True))
    np.testing.assert_allclose(seen, crop_waves(noise[:, :, ::-1], Crop(*crop, mirrored=False)), atol=1e-12)


def test_waves_change_with_neither_brightness_nor_contrast() -> None:
    noise = np.random.default_rng(3).normal(size=(2, THUMB_SIDE, THUMB_SIDE))
    crop = Crop(WHOLE, Span(0.0, 0.9), True)
    np.testing.assert_allclose(crop_waves(noise, crop), crop_waves(0.3 * noise + 40, crop), atol=1e-12)


@pytest.mark.parametrize("mirrored", [False, True])
def test_thumbnails_are_laid_where_the_crop_was(mirrored: bool) -> None:
    """Begun half a step of the grid of crops away, on both axes, and 2 % too large."""
    image = picture(4)
    part = image.crop((16, 9, 16 + 288, 9 + 288))
    part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else part
    start = Placement.of([Crop(Span(0.05, 0.92), Span(0.025, 0.92), mirrored)])
    place, aligned = align_thumbs(thumb(image)[None], thumb(part)[None], start, 0.9)
    assert aligned.tolist() == [True]
    found = [float(axis[0]) for axis in (place.top, place.height, place.left, place.width)]
    assert found == pytest.approx([9 / SIDE, 0.9, 16 / SIDE, 0.9], abs=0.015)
    assert detail_likeness(thumb(image)[None], thumb(part)[None], place)[0] > 0.9


def test_strangers_are_not_aligned() -> None:
    ones, others = (np.stack([thumb(picture(seed + number)) for number in range(20)]) for seed in (100, 200))
    start = Placement.of([Crop(WHOLE, WHOLE, False)] * 20)
    assert not align_thumbs(ones, others, start, 0.9)[1].any()


def test_a_bold_frame_makes_no_two_images_alike() -> None:
    """Two pictures between the same white bars: as they are they agree, their detail does not."""
    framed = []
    for seed in (5, 6):
        pixels = np.full((SIDE, SIDE), 255, dtype=np.uint8)
        pixels[60:260] = np.asarray(picture(seed))[60:260] // 3
        framed.append(thumb(Image.fromarray(pixels))[None])
    place = Placement.of([Crop(WHOLE, WHOLE, False)])
    assert np.corrcoef(framed[0].ravel(), framed[1].ravel())[0, 1] > 0.9
    assert detail_likeness(framed[0], framed[1], place)[0] < 0.8
    assert detail_likeness(framed[0], framed[0], place)[0] == pytest.approx(1.0)
