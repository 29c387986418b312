"""Small sets of images made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.core.data.decode import Pixels
from engine.core.data.pack import Pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.spec import Data

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Return a function that writes a class-per-folder tree of smooth random images and gives its root."""

    def make(counts: dict[str, int], size: tuple[int, int] = (90, 70), name: str = "images") -> Path:
        root = tmp_path / name
        noise = np.random.default_rng(0)
        for class_name, count in counts.items():
            (root / class_name).mkdir(parents=True)
            for number in range(count):
                coarse = Image.fromarray(noise.integers(0, 256, (5, 6, 3), dtype=np.uint8))
                coarse.resize(size, Image.Resampling.BICUBIC).save(root / class_name / f"{number:03d}.png")
        return root

    return make


@pytest.fixture
def photo_pack(make_folder: MakeFolder, tmp_path: Path) -> Pack:
    """A raw pack of 3 classes of 10 images, 90 x 70 pixels."""
    data = Data(source="folder", root=str(make_folder({"a": 10, "b": 10, "c": 10})))
    (tmp_path / "pack").mkdir()
    write_pack(list_images(data), tmp_path / "pack", 256, lambda done, count: None)
    return open_pack(tmp_path / "pack")


def pattern(width: int, height: int, shift: int = 0) -> Pixels:
    """Return an image whose every row and column looks different, the same on every machine."""
    rows, columns = np.mgrid[:height, :width]
    planes = [3 * columns + rows + shift, 5 * columns ^ 3 * rows, rows * columns + 7 * shift]
    return np.stack([plane % 256 for plane in planes], axis=2).astype(np.uint8)


OBLONGS = ((120, 72), (72, 120), (90, 40), (130, 66), (66, 64), (30, 50))
"""Width and height of the images of `oblong_packs`: none is square, two are small enough for the fractional kernel."""


@pytest.fixture(scope="session")
def oblong_packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pack]:
    """A raw and a JPEG pack of patterns of OBLONGS' sizes in two classes."""
    root, found = tmp_path_factory.mktemp("oblongs"), {}
    for number, size in enumerate(OBLONGS):
        (root / "ab"[number % 2]).mkdir(exist_ok=True)
        Image.fromarray(pattern(*size, number)).save(root / "ab"[number % 2] / f"{number}.png")
    for kind in ("raw", "jpeg"):
        folder = tmp_path_factory.mktemp(f"oblongs_{kind}")
        listing = list_images(Data(source="folder", root=str(root)))
        write_pack(listing, folder, 256, lambda done, count: None, format=kind)
        found[kind] = open_pack(folder)
    return found


@pytest.fixture(scope="session")
def digits_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("digits")
    write_pack(list_images(Data(source="digits")), folder, 256, lambda done, count: None)
    return open_pack(folder)
