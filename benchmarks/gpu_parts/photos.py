"""JPEG files to work on: takes a folder and a number, gives a tree of classes with smooth pictures that have detail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TALL, WIDE = 375, 500  # ImageNet's usual size
COARSE = 12


def write_photos(folder: Path, count: int, classes: int, tall: int = TALL, wide: int = WIDE) -> Path:
    """Write `count` files in `classes` folders of wordnet-like names, the same ones each time; return the folder."""

    def write(number: int) -> None:
        place = folder / f"n{number % classes:08d}" / f"{number:06d}.jpg"
        Image.fromarray(draw(number, number % classes, classes, tall, wide)).save(place, quality=90)

    for label in range(classes):
        (folder / f"n{label:08d}").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(count)))
    return folder


def draw(number: int, label: int, classes: int, tall: int, wide: int) -> NDArray[np.uint8]:
    """Return a picture (tall, wide, 3): broad shapes around the colour of its class, and grain."""
    chance = np.random.default_rng(number)
    coarse = chance.integers(0, 256, (COARSE, COARSE, 3), dtype=np.uint8)
    coarse[..., label % 3] = 255 * label // max(1, classes - 1)
    smooth = np.asarray(Image.fromarray(coarse).resize((wide, tall), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = chance.integers(-12, 13, (tall, wide, 1), dtype=np.int16)
    return (smooth + grain).clip(0, 255).astype(np.uint8)
