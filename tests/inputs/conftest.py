"""What the tests of images that nobody has trained on yet stand on: an empty home, a folder, its pack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.home.paths import Home, open_home
from engine.spec import Data


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """Two classes of 20 images in train and val folders; the first two of a class show nearly the same."""
    drawn = np.random.default_rng(0)
    for name in ("ant", "bee"):
        whole = drawn.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        for number in range(20):
            pixels = whole if number < 2 else drawn.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            folder = tmp_path / "images" / ("val" if number >= 16 else "train") / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels ^ np.uint8(number == 1)).save(folder / f"{number}.png")
    return Data(source="folder", root=str(tmp_path / "images"), short_side=32)
