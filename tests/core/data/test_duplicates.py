"""Near-duplicates are found whatever was done to them, strangers are left apart, and no split separates a group."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks import duplicates as bench
from engine.core.data import duplicates
from engine.core.data.duplicates import CROPS, CodeIndex, group_thumbs, make_thumb, near_pairs
from engine.core.data.likeness import THUMB_SIDE, crop_waves
from engine.core.data.pack import count_duplicates, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.inputs.splits import make_split
from engine.spec import Data

MakeFolder = Callable[..., Path]
PHOTOS = Path(__file__).parents[4] / "shared" / "data" / "imagenette224" / "val.zip"


def photo(seed: int, width: int = 240, height: int = 180) -> Image.Image:
    """Coarse shapes, and finer ones on them."""
    noise, size = np.random.default_rng(seed), (width, height)
    coarse, fine = (noise.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in ((7, 9), (28, 36)))
    large, small = (Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC) for pixels in (coarse, fine))
    return Image.blend(large, small, 0.3)


def groups_of(images: list[Image.Image]) -> list[int]:
    return [int(group) for group in group_thumbs([make_thumb(np.asarray(image)) for image in images])]


def recoded(image: Image.Image, quality: int) -> Image.Image:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=quality)
    return Image.open(io.BytesIO(held.getvalue())).convert("RGB")


def cut(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    return image.crop(
        (round(left * image.width), round(top * image.height), round(right * image.width), round(bottom * image.height))
    )


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "a corner cropped away": lambda image: cut(image, 0.1, 0.1, 1.0, 1.0),
    "one side cropped": lambda image: cut(image, 0.0, 0.0, 0.9, 1.0),
    "all sides cropped": lambda image: cut(image, 0.05, 0.05, 0.95, 0.95),
    "all sides cropped by a tenth": lambda image: cut(image, 0.1, 0.1, 0.9, 0.9),
    "brightened": lambda image: image.point(lambda level: min(255, level + 15)),
    "lighter gamma": lambda image: image.point(lambda level: round(255 * (level / 255) ** 0.7)),
    "darker gamma": lambda image: image.point(lambda level: round(255 * (level / 255) ** 1.5)),
    "recoded": lambda image: recoded(image, 30),
    "smaller": lambda image: image.resize((image.width // 3, image.height // 3)),
    "stretched": lambda image: image.resize((2 * image.width, image.height)),
    "mirrored, cropped and recoded": lambda image: recoded(cut(ImageOps.mirror(image), 0.04, 0.1, 0.94, 1.0), 60),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_found_whatever_was_done_to_it(kind: str) -> None:
    originals = [photo(seed) for seed in range(20)]
    found = groups_of([*originals, *(KINDS[kind](image) for image in originals)])
    assert found == [*range(20), *range(20)]


def test_strangers_stay_apart() -> None:
    assert groups_of([photo(seed) for seed in range(300)]) == list(range(300))


def test_chains_connect_and_the_first_names_the_group() -> None:
    steps = [cut(photo(5), 0.0, 0.0, 1.0 - shift, 1.0) for shift in (0.0, 0.1, 0.19, 0.27)]
    assert groups_of([photo(9), *steps]) == [0, 1, 1, 1, 1]
    assert groups_of([steps[0], steps[3]]) == [0, 1]


def test_candidates_hold_nearly_all_pairs_of_an_exhaustive_search() -> None:
    images = [photo(seed) for seed in range(150)]
    noise = np.random.default_rng(0)
    spots = noise.uniform(0.0, 0.1, (150, 2))
    copies = [cut(image, x, y, x + 0.9, y + 0.9) for image, (x, y) in zip(images, spots, strict=True)]
    thumbs = np.stack([np.asarray(make_thumb(np.asarray(image))) for image in [*images, *copies]]).astype(np.float64)
    waves = crop_waves(thumbs, CROPS[0])
    index, met, close = CodeIndex(waves), set(), set()
    for crop in CROPS:
        asked = crop_waves(thumbs, crop)
        met |= set(zip(*(column.tolist() for column in index.meet(asked)), strict=True))
        rows, columns = np.nonzero(asked @ waves.T >= duplicates.ALIKE)
        close |= {(row, column) for row, column in zip(rows.tolist(), columns.tolist(), strict=True) if row != column}
    assert len(close) >= 150
    assert len(close & met) / len(close) > 0.95
    assert len(met) < 300 * 300 / 4


def test_groups_are_the_same_however_many_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [photo(seed) for seed in range(12)]
    images += [KINDS["mirrored"](image) for image in images[:6]] + [KINDS["brightened"](image) for image in images[:3]]
    thumbs = [make_thumb(np.asarray(image)) for image in images]
    assert group_thumbs(thumbs).tolist() == [*range(12), *range(6), *range(3)]
    monkeypatch.setattr(duplicates, "ROWS", 5)
    monkeypatch.setattr(duplicates, "PAIRS", 2)
    assert group_thumbs(thumbs).tolist() == [*range(12), *range(6), *range(3)]
    pairs = list(near_pairs(np.stack([thumb for thumb in thumbs if thumb is not None])))
    assert len(pairs) == 9  # as few as connect them


def test_a_crowd_under_one_code_is_met_in_part() -> None:
    """Noise of a level on one picture: all of them would meet all others, under every code."""
    noise, base = np.random.default_rng(0), np.asarray(make_thumb(np.asarray(photo(0)))).astype(np.int64)
    crowd = (base + noise.integers(-1, 2, (120, *base.shape))).clip(0, 255).astype(np.float64)
    waves = crop_waves(crowd, CROPS[0])
    ones, _ = CodeIndex(waves).meet(waves)
    assert np.bincount(ones).max() <= duplicates.TABLES * 2**duplicates.UNSURE_BITS * duplicates.NEIGHBOURS
    assert set(group_thumbs(list(crowd.astype(np.uint8))).tolist()) == {0}


def test_thousands_of_blank_images_are_one_group() -> None:
    blank = make_thumb(np.full((64, 64, 3), 200, dtype=np.uint8))
    assert group_thumbs([blank] * 3000 + [make_thumb(np.asarray(photo(2)))]).tolist() == [0] * 3000 + [3000]


def test_blank_walls_of_different_noise_are_strangers() -> None:
    noise = np.random.default_rng(0)
    walls = [np.full((64, 64, 3), 120) + noise.normal(0, 4, (64, 64, 1)) for _ in range(100)]
    assert group_thumbs([make_thumb(wall.astype(np.uint8)) for wall in walls]).tolist() == list(range(100))


def test_tiny_images_have_no_thumbnail() -> None:
    assert make_thumb(np.zeros((8, 8, 3), dtype=np.uint8)) is None
    assert group_thumbs([None, None]).tolist() == [0, 1]
    shapes = [(32, 32), (31, 90), (90, 31), (32, 400)]
    assert [make_thumb(np.zeros((*shape, 3), dtype=np.uint8)) is not None for shape in shapes] == [1, 0, 0, 1]


def test_groups_are_named_by_their_first_image_whatever_lies_between() -> None:
    one, other = (make_thumb(np.asarray(photo(seed))) for seed in (1, 2))
    mirrored = make_thumb(np.asarray(ImageOps.mirror(photo(1))))
    assert group_thumbs([None, other, mirrored, None, one, other, one]).tolist() == [0, 1, 2, 3, 2, 1, 2]


def test_a_thumbnail_is_of_means_of_squares() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (THUMB_SIDE, THUMB_SIDE), dtype=np.uint8)
    pixels = np.repeat(np.repeat(noise, 3, axis=0), 5, axis=1)
    np.testing.assert_array_equal(make_thumb(np.repeat(pixels[:, :, None], 3, axis=2)), noise)


@pytest.mark.skipif(not PHOTOS.exists(), reason="the photographs are not here")
def test_copies_of_photographs_are_found_and_strangers_are_not() -> None:
    photos = bench.read_photos([PHOTOS], 100)
    chosen, copies = zip(*(bench.planted(photos, kind, 100) for kind in bench.KINDS), strict=True)
    groups = group_thumbs(bench.thumbs_of([*photos, *itertools.chain(*copies)]))
    found = groups[100:].reshape(len(copies), -1) == groups[np.stack(chosen)]
    assert dict(zip(bench.KINDS, found.mean(1) >= 0.95, strict=True)) == dict.fromkeys(bench.KINDS, True)
    assert bench.false_pairs(photos) == []


@pytest.mark.parametrize("text", ["60/20/20", "80/10/10"])
def test_no_split_separates_planted_duplicates(make_folder: MakeFolder, tmp_path: Path, text: str) -> None:
    root = make_folder({"a": 40, "b": 40})
    for number in range(0, 40, 4):
        with Image.open(root / "a" / f"{number:03d}.png") as image:
            image.resize((100, 80)).save(root / "ab"[number % 8 // 4] / f"copy{number}.jpg", quality=85)
    (tmp_path / "pack").mkdir()
    write_pack(list_images(Data(source="folder", root=str(root))), tmp_path / "pack", 256, lambda done, count: None)
    pack = open_pack(tmp_path / "pack")
    assert count_duplicates(pack.labels.tolist(), pack.groups) == {"groups": 10, "images": 20, "across_labels": 5}
    for seed in range(5):
        split = make_split(pack.keys, pack.labels, pack.class_names, text, seed, groups=pack.group_names)
        part_of = {int(row): part for part in ("train", "val", "test") for row in split.part(part)}
        assert all(part_of[row] == part_of[int(group)] for row, group in enumerate(pack.groups))
        assert abs(len(split.test) - 90 * int(text[-2:]) / 100) <= 4


def test_a_thumbnail_in_strips_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (101, 67, 3), dtype=np.uint8)
    whole = make_thumb(pixels)
    monkeypatch.setattr("engine.core.data.duplicates.STRIP", 67 * 7)
    strips = make_thumb(pixels)
    assert whole is not None
    assert strips is not None
    assert np.array_equal(whole, strips)
    expected = Image.fromarray(pixels).convert("L").resize(whole.shape, Image.Resampling.BOX)
    assert np.array_equal(whole, np.asarray(expected))
