"""Views: takes a packed image, its key and a view number, gives the pixels a network sees; a pure function of them.

This is the geometry, one image at a time: a random resized crop and a flip, drawn in relative units, so that networks
of different input sizes see the same crop. What else a view goes through is in augment.py, batch by batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from engine.core.data.decode import Pixels
from engine.core.data.draws import draw_uniform
from engine.spec import Augment
from engine.spec.base import Interpolation

# Eight numbers a block: three tries, place and flip in the first, four tries in the others: fifteen in all.
CROP_BLOCKS = 4
SMALL_SIDE = 64
"""Below this short side (pixels) a box of whole pixels would be coarse: Pillow's kernel takes fractional ones.
From it on torch's kernel does the same antialiased resize several times as fast, on whole pixels."""
PILLOW = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Crop:
    """A box in relative units: left, top, width, height in [0, 1]; then mirrored or not."""

    left: float
    top: float
    width: float
    height: float
    flip: bool = False


def render_view(image: Pixels, key: str, view: int, view_seed: int, augment: Augment, size: int) -> Tensor:
    """Return the crop and flip of view number `view` of the image (H x W x 3 uint8) as uint8 (3, size, size)."""
    height, width = image.shape[:2]
    return render_crop(image, draw_crop(key, view, view_seed, augment, width / height), size)


def render_center(image: Pixels, size: int, crop_share: float, kind: Interpolation = "bicubic") -> Tensor:
    """Return the central square, `crop_share` of the short side wide, as uint8 (3, size, size)."""
    height, width = image.shape[:2]
    return render_crop(image, center_crop(height, width, crop_share), size, kind)


def center_crop(height: int, width: int, crop_share: float) -> Crop:
    """Return the central square of an image, `crop_share` of the short side wide."""
    side = crop_share * min(height, width)
    wide, tall = side / width, side / height
    return Crop((1 - wide) / 2, (1 - tall) / 2, wide, tall)


def draw_crop(key: str, view: int, view_seed: int, augment: Augment, aspect: float) -> Crop:
    """Draw the random resized crop and flip of a view for an image of `aspect` = width / height.

    Area share uniform in crop_scale, log aspect ratio uniform in crop_ratio; a box that does not fit is drawn again,
    and after fifteen misses the largest central one of an allowed ratio is taken (after Szegedy et al. 2015).
    """
    first = draw_uniform(view_seed, view, key, "crop", 0)
    flip = draw_uniform(view_seed, view, key, "flip", 0)[0] < augment.flip
    pairs = list(first[:6])
    for block in range(CROP_BLOCKS):
        if block:
            pairs = list(draw_uniform(view_seed, view, key, "crop", block))
        for area_draw, ratio_draw in zip(pairs[::2], pairs[1::2], strict=True):
            wide, tall = _box_size(area_draw, ratio_draw, augment, aspect)
            if wide <= 1.0 and tall <= 1.0:
                return Crop(first[6] * (1 - wide), first[7] * (1 - tall), wide, tall, flip)
    wide, tall = _widest_box(augment, aspect)
    return Crop((1 - wide) / 2, (1 - tall) / 2, wide, tall, flip)


def _box_size(area_draw: float, ratio_draw: float, augment: Augment, aspect: float) -> tuple[float, float]:
    low, high = augment.crop_scale
    area = low + area_draw * (high - low)
    log_low, log_high = (math.log(ratio) for ratio in augment.crop_ratio)
    ratio = math.exp(log_low + ratio_draw * (log_high - log_low))
    return math.sqrt(area * ratio / aspect), math.sqrt(area / ratio * aspect)


def _widest_box(augment: Augment, aspect: float) -> tuple[float, float]:
    ratio = min(max(aspect, augment.crop_ratio[0]), augment.crop_ratio[1])
    return (1.0, aspect / ratio) if ratio >= aspect else (ratio / aspect, 1.0)


def render_crop(image: Pixels, crop: Crop, size: int, kind: Interpolation = "bicubic") -> Tensor:
    """Cut `crop` out of the image and resize it, antialiased, to uint8 (3, size, size), contiguous."""
    small = min(image.shape[:2]) < SMALL_SIDE
    pixels = _resize_fraction(image, crop, size, kind) if small else _resize_whole(image, crop, size, kind)
    return pixels.flip(2) if crop.flip else pixels.contiguous()


def _resize_fraction(image: Pixels, crop: Crop, size: int, kind: Interpolation) -> Tensor:
    left, right, top, bottom = fraction_box(crop, *image.shape[:2])
    box = (left, top, right, bottom)
    resized = Image.fromarray(image).resize((size, size), PILLOW[kind], box=box)
    # bytearray: torch warns of memory that it may not write to.
    return torch.frombuffer(bytearray(resized.tobytes()), dtype=torch.uint8).view(size, size, 3).permute(2, 0, 1)


def _resize_whole(image: Pixels, crop: Crop, size: int, kind: Interpolation) -> Tensor:
    left, right, top, bottom = whole_box(crop, *image.shape[:2])
    cut = torch.from_numpy(image)[top:bottom, left:right].contiguous().permute(2, 0, 1)[None]  # packed is faster
    return F.interpolate(cut, (size, size), mode=kind, antialias=True)[0]


def cut_edges(crop: Crop, height: int, width: int) -> tuple[float, float, float, float]:
    """Return left, right, top and bottom, in pixels of the image, of what `render_crop` cuts out of it."""
    return (fraction_box if min(height, width) < SMALL_SIDE else whole_box)(crop, height, width)


def fraction_box(crop: Crop, height: int, width: int) -> tuple[float, float, float, float]:
    """Return the crop's left, right, top and bottom in pixels, which may be fractions."""
    # A sum of floats may pass the edge by a hair, and Pillow refuses that.
    right, bottom = min(1.0, crop.left + crop.width), min(1.0, crop.top + crop.height)
    return max(0.0, crop.left) * width, right * width, max(0.0, crop.top) * height, bottom * height


def whole_box(crop: Crop, height: int, width: int) -> tuple[int, int, int, int]:
    """Return the crop's left, right, top and bottom in whole pixels."""
    return *_whole_span(crop.left, crop.width, width), *_whole_span(crop.top, crop.height, height)


def _whole_span(start: float, share: float, length: int) -> tuple[int, int]:
    """Round a relative span to whole pixels: its length first, so that equal shares give equal lengths."""
    span = min(length, max(1, round(share * length)))
    first = min(length - span, max(0, round(start * length)))
    return first, first + span
