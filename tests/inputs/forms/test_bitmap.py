"""A bitmap is byte for byte what Pillow saves, and comes back as the pixels that went in."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engine.inputs.forms.bitmap import write_bitmap


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (32, 32, 3), (28, 28), (1, 1, 3), (3, 4)])
def test_a_bitmap_is_what_pillow_saves(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    saved = io.BytesIO()
    Image.fromarray(pixels).save(saved, "BMP")
    assert write_bitmap(pixels) == saved.getvalue()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(write_bitmap(pixels)))), pixels)
