"""Near-duplicates are found whatever was done to them, strangers are left apart, and no split separates a group."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.core.data import duplicates
from engine.core.data.duplicates import PerceptualHash, group_hashes, hash_image
from engine.core.data.pack import count_duplicates, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.inputs.splits import make_split
from engine.spec import Data

MakeFolder = Callable[..., Path]


def photo(seed: int, width: int = 120, height: int = 90) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def groups_of(images: list[Image.Image]) -> list[int]:
    return [int(group) for group in group_hashes([hash_image(np.asarray(image)) for image in images])]


def test_resized_recoded_and_brightened_copies_are_one_group(tmp_path: Path) -> None:
    photo(0).save(tmp_path / "copy.jpg", quality=60)
    with Image.open(tmp_path / "copy.jpg") as recoded:
        recoded.load()
    brighter = photo(0).point(lambda level: min(255, level + 4))
    assert groups_of([photo(0), photo(1), photo(0, 300, 225), recoded, brighter]) == [0, 1, 0, 0, 0]


def test_strangers_stay_apart() -> None:
    assert groups_of([photo(seed) for seed in range(200)]) == list(range(200))


def test_chains_connect_and_the_first_names_the_group() -> None:
    steps = [photo(5).point(lambda level, shift=shift: min(255, level + shift)) for shift in (0, 6, 12, 18)]
    assert groups_of([photo(9), *steps]) == [0, 1, 1, 1, 1]


def test_pairs_are_those_of_an_exhaustive_search() -> None:
    noise = np.random.default_rng(0)
    shaken = [np.asarray(photo(seed % 12)) + noise.integers(-6, 7, (90, 120, 3)) for seed in range(48)]
    hashes = [hash_image(np.clip(pixels, 0, 255).astype(np.uint8)) for pixels in shaken]
    groups = group_hashes(hashes)
    for row, one in enumerate(hashes):
        for other_row, other in enumerate(hashes):
            assert one is not None
            assert other is not None
            near = (one.code ^ other.code).bit_count() <= 6
            near = near and float(np.abs(one.thumb.astype(int) - other.thumb.astype(int)).mean()) < 8
            assert not near or groups[row] == groups[other_row]


def test_groups_are_the_same_however_many_pairs_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(1)
    shaken = [np.asarray(photo(seed % 9)) + noise.integers(-9, 10, (90, 120, 3)) for seed in range(40)]
    hashes = [hash_image(np.clip(pixels, 0, 255).astype(np.uint8)) for pixels in [*shaken, *shaken]]
    groups = group_hashes(hashes)
    assert len(set(groups.tolist())) < 40
    monkeypatch.setattr(duplicates, "PAIRS", 3)
    monkeypatch.setattr(duplicates, "COMPARED", 5)
    np.testing.assert_array_equal(group_hashes(hashes), groups)


def test_thousands_of_blank_images_are_one_group() -> None:
    blank = hash_image(np.full((64, 64, 3), 200, dtype=np.uint8))
    assert group_hashes([blank] * 3000 + [hash_image(np.asarray(photo(2)))]).tolist() == [0] * 3000 + [3000]


def test_tiny_images_have_no_print() -> None:
    assert hash_image(np.zeros((8, 8, 3), dtype=np.uint8)) is None
    assert group_hashes([None, None]).tolist() == [0, 1]


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


def a_print(code: int, level: int | list[int] = 100) -> PerceptualHash:
    levels = level if isinstance(level, list) else [level] * 256
    return PerceptualHash(code, np.array(levels, dtype=np.uint8))


def test_codes_are_near_up_to_six_bits_wherever_these_lie() -> None:
    for bits in ([0, 1, 2, 3, 4, 5], [63, 62, 61, 60, 59, 58], [0, 10, 20, 30, 40, 50], [9, 18, 27, 36, 45, 63]):
        code = 0xDEADBEEF12345678
        six = code ^ sum(1 << bit for bit in bits)
        seven = six ^ 1 << 33
        assert group_hashes([a_print(code), a_print(six)]).tolist() == [0, 0], bits
        assert group_hashes([a_print(code), a_print(seven)]).tolist() == [0, 1], bits


def test_thumbnails_are_near_below_eight_levels_in_the_mean() -> None:
    below = [108] * 255 + [107]
    assert group_hashes([a_print(1), a_print(1, below)]).tolist() == [0, 0]
    assert group_hashes([a_print(1), a_print(1, 108)]).tolist() == [0, 1]
    assert group_hashes([a_print(1, 3), a_print(1, 250)]).tolist() == [0, 1]  # bytes would wrap round


def test_groups_are_named_by_their_first_image_whatever_joins_them() -> None:
    levels = [100, 114, 107, 200, 121, 193]
    assert group_hashes([a_print(1, level) for level in levels]).tolist() == [0, 0, 0, 3, 0, 3]
    assert group_hashes([None, a_print(1), None, a_print(1)]).tolist() == [0, 1, 2, 1]


def test_a_print_is_of_images_from_32_pixels_on() -> None:
    shapes = [(32, 32), (31, 90), (90, 31), (32, 400)]
    assert [hash_image(np.zeros((*shape, 3), dtype=np.uint8)) is not None for shape in shapes] == [1, 0, 0, 1]


def test_a_print_is_of_slopes_and_means_of_squares() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (16, 16), dtype=np.uint8)
    pixels = np.repeat(np.repeat(noise, 9, axis=0), 9, axis=1)  # 144 x 144: each thumbnail pixel is one square
    seen = hash_image(np.repeat(pixels[:, :, None], 3, axis=2))
    assert seen is not None
    np.testing.assert_array_equal(seen.thumb.reshape(16, 16), noise)
    small = pixels.reshape(8, 18, 9, 16).mean(axis=(1, 3))
    bits = "".join("1" if right > left else "0" for row in small for left, right in pairwise(row))
    assert (seen.code ^ int(bits, 2)).bit_count() <= 1  # Pillow rounds between its two passes
    flat = hash_image(np.full((64, 64, 3), 9, dtype=np.uint8))
    assert flat is not None
    assert flat.code == 0
