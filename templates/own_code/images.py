"""Images of your own: a function that gives (class, image), each image as the bytes of a file or an array of uint8."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel


class Drawn(BaseModel):
    images: int = 180
    side: int = 24


def draw_bars(root: Path | None, options: Drawn) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Noise with a bright bar across, down or in neither way; `root` is data.root, which this needs none of."""
    rng = np.random.default_rng(0)
    for number in range(options.images):
        image = rng.integers(0, 120, (options.side, options.side, 3), dtype=np.uint8)
        at, name = int(rng.integers(0, options.side - 4)), ("across", "down", "neither")[number % 3]
        bar = {"across": image[at : at + 4], "down": image[:, at : at + 4], "neither": image[:0]}[name]
        bar += 120
        yield name, image
