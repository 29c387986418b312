"""Pixels as a file: takes an array, gives the bytes of a .bmp, which has one form and is not compressed.

So images that came without files have contents, digests and readers as files have: it is byte for byte what Pillow
saves as .bmp. The format: Microsoft's BITMAPFILEHEADER and BITMAPINFOHEADER, rows from below, padded to 4 bytes.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

RESOLUTION = 3780
"""Pixels a metre, 96 an inch: what Pillow writes."""
HEADERS = 14 + 40
GREYS = bytes(value for level in range(256) for value in (level, level, level, 0))


def write_bitmap(pixels: NDArray[np.uint8]) -> bytes:
    """Return the file of an image, H x W (grey) or H x W x 3 (RGB), uint8."""
    height, width = pixels.shape[:2]
    is_grey = pixels.ndim == 2
    rows = pixels[::-1] if is_grey else pixels[::-1, :, ::-1].reshape(height, 3 * width)
    padded = np.zeros((height, -(-rows.shape[1] // 4) * 4), dtype=np.uint8)
    padded[:, : rows.shape[1]] = rows
    palette = GREYS if is_grey else b""
    start, size = HEADERS + len(palette), padded.size
    colours = 256 if is_grey else 0
    head = struct.pack("<2sIHHI", b"BM", start + size, 0, 0, start)
    about = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 8 if is_grey else 24, 0, size, RESOLUTION, RESOLUTION, colours, colours
    )
    return head + about + palette + padded.tobytes()
