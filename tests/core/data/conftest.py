"""Small sets of images made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


@pytest.fixture(scope="session")
def digits_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("digits")
    write_pack(list_images(Data(source="digits")), folder, 256, lambda done, count: None)
    return open_pack(folder)
