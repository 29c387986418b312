"""Pairs mixed by one launch: takes uint8 (B, 3, S, S) and what each image drew, gives new images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.core.data.kernels.orders import MixOrder
from engine.core.data.kernels.rounding import EXACT, to_level

BLOCK = 1024


def mix_ordered(images: Tensor, order: MixOrder, arrays: Sequence[Tensor]) -> Tensor:
    """Return each two neighbours blended, or with a box of each other's, as the order says."""
    count, size = len(images), images.shape[-1]
    mixed = torch.empty_like(images)
    blocks = triton.cdiv(3 * size * size, BLOCK)
    shares, boxes = arrays[order.shares], arrays[order.boxes]
    mix_pixels[(count * blocks,)](images, mixed, shares, boxes, count, blocks, size, BLOCK, **EXACT)
    return mixed


@triton.jit
def mix_pixels(images, mixed, shares, boxes, count, blocks, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    """Write some levels of an image: by its two shares, or its partner's within the box; an odd last one's as it is."""
    image = tl.program_id(0) // blocks
    place = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    inside = place < 3 * SIZE * SIZE
    partner = tl.minimum(image ^ 1, count - 1)
    own = tl.load(images + image.to(tl.int64) * (3 * SIZE * SIZE) + place, inside, 0).to(tl.int32)
    other = tl.load(images + partner.to(tl.int64) * (3 * SIZE * SIZE) + place, inside, 0).to(tl.int32)
    mine, others = tl.load(shares + 2 * image), tl.load(shares + 2 * image + 1)
    level = to_level(own.to(tl.float32) * mine + other.to(tl.float32) * others)
    top, bottom = tl.load(boxes + 4 * image), tl.load(boxes + 4 * image + 1)
    left, right = tl.load(boxes + 4 * image + 2), tl.load(boxes + 4 * image + 3)
    row, column = place // SIZE % SIZE, place % SIZE
    level = tl.where((row >= top) & (row < bottom) & (column >= left) & (column < right), other, level)
    tl.store(mixed + image.to(tl.int64) * (3 * SIZE * SIZE) + place, level.to(tl.uint8), inside)
