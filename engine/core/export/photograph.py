"""A photograph as evaluation would see it: takes an image file, gives the pixels that a network gets, to the bit.

It goes the way of a test image: decoded, shrunk and kept as a pack keeps it, the centre cut out and resized.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from engine.core.data.decode import BUDGET, decode_image
from engine.core.data.normalize import normalize
from engine.core.data.pack import decode_jpeg, encode_jpeg, shrink
from engine.core.data.sources import read_bytes
from engine.core.data.views import render_center
from engine.core.export.about import About
from engine.errors import DataError


def read_photograph(path: Path, about: About) -> Tensor:
    """Return uint8 (3, S, S). Raises DataError for what is no image, is broken, or is larger than the limits allow."""
    with BUDGET.scope():
        pixels = shrink(decode_image(_read_file(path), str(path)), about.short_side)
    if about.format == "jpeg":
        pixels = decode_jpeg(encode_jpeg(pixels))
    return render_center(pixels, about.image_size, about.crop_share, about.interpolation)


def look_at(images: Tensor, about: About) -> Tensor:
    """Return what a file takes, fp32 (B, 3, S, S), of pixels uint8 (B, 3, S, S)."""
    return normalize(images, about.mean, about.std)


def shares_of(logits: Tensor) -> Tensor:
    """Return probabilities (B, classes), in doubles: of a thousand classes those of fp32 would not sum to one."""
    return torch.softmax(logits.double(), dim=1)


def _read_file(path: Path) -> bytes:
    # Not a pipe, which would be waited for.
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "there is no such file"
        raise DataError(what, where=str(path), fix="name an image file: JPEG, PNG, GIF, WebP, BMP or TIFF")
    return read_bytes(path)
