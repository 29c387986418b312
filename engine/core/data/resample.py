"""Antialiased resizing of many crops at once, on any device: takes byte images, gives bytes, always the same.

The same bits as torch's kernel for bytes on the host: it weighs pixels with whole numbers and rounds after each
direction, and whole numbers add up alike everywhere. Formulas: bicubic is Keys 1981 with a = -0.5, bilinear a triangle;
when shrinking, the support is widened by the scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.spec.base import Interpolation

MOST_BITS, LARGEST_WEIGHT = 22, 1 << 15  # torch keeps its weights in 16 bits, and takes as many bits as then fit


@dataclass(frozen=True)
class Boxes:
    """Where B crops lie in a flat tensor of images (H x W x 3 each), all int64 (B,): the image's first byte and width,
    then the box in pixels. `tallest`, `widest` are the largest of `tall` and `wide`.
    """

    start: Tensor
    width: Tensor
    left: Tensor
    top: Tensor
    wide: Tensor
    tall: Tensor
    widest: int
    tallest: int


@dataclass(frozen=True)
class Taps:
    """For each of B crops and S output pixels, K source pixels: `first` int64 (B, S), `weights` int32 (B, S, K).

    Weights of a pixel add up to about 2 ** `bits` (int32 (B,)); those beyond its own taps are 0.
    """

    first: Tensor
    weights: Tensor
    bits: Tensor


@dataclass(frozen=True)
class Kernel:
    """How pixels are weighed by their distance: `weigh` of it in pixels, nothing beyond `half_support`."""

    half_support: float
    weigh: Callable[[Tensor], Tensor]


def resize_boxes(flat: Tensor, boxes: Boxes, size: int, kind: Interpolation = "bicubic") -> Tensor:
    """Return the boxes of the images in `flat` (uint8, one dimension) resized to uint8 (B, 3, size, size)."""
    # Across first, as torch does it: each direction rounds, so the order counts.
    rows = _resize_across(flat, boxes, size, KERNELS[kind])
    return _resize_down(rows, boxes, size, KERNELS[kind]).permute(0, 3, 1, 2).contiguous()


def _resize_across(flat: Tensor, boxes: Boxes, size: int, kernel: Kernel) -> Tensor:
    """Return uint8 (B, tallest, size, 3); lines below a box repeat its last one."""
    taps = _byte_taps(boxes.wide, size, boxes.widest, kernel)
    lines = torch.minimum(torch.arange(boxes.tallest, device=flat.device)[None], boxes.tall[:, None] - 1)
    starts = boxes.start[:, None] + (boxes.top[:, None] + lines) * boxes.width[:, None] * 3
    channels = torch.arange(3, device=flat.device)
    total = torch.zeros((*lines.shape, size, 3), dtype=torch.int32, device=flat.device)
    # Tap by tap: all at once would take as many times the memory.
    for tap in range(taps.weights.shape[2]):
        columns = boxes.left[:, None] + torch.minimum(taps.first + tap, boxes.wide[:, None] - 1)
        places = starts[:, :, None] + columns[:, None, :] * 3
        total += flat[places[..., None] + channels].int() * taps.weights[:, None, :, tap, None]
    return _weigh_bytes(total, taps.bits)


def _resize_down(rows: Tensor, boxes: Boxes, size: int, kernel: Kernel) -> Tensor:
    taps = _byte_taps(boxes.tall, size, boxes.tallest, kernel)
    images = torch.arange(len(rows), device=rows.device)[:, None]
    total = torch.zeros((len(rows), size, *rows.shape[2:]), dtype=torch.int32, device=rows.device)
    for tap in range(taps.weights.shape[2]):
        lines = torch.minimum(taps.first + tap, boxes.tall[:, None] - 1)
        total += rows[images, lines].int() * taps.weights[:, :, tap, None, None]
    return _weigh_bytes(total, taps.bits)


def _byte_taps(lengths: Tensor, size: int, longest: int, kernel: Kernel) -> Taps:
    """Return the taps of spans of `lengths` (int64 (B,), at most `longest`) pixels onto `size` pixels."""
    spans = lengths.double()
    # By a tensor, not a number: a device may turn a division by a constant into a product.
    scale = (spans / torch.full_like(spans, size))[:, None]
    widened = scale.clamp(min=1.0)
    support = kernel.half_support * widened
    centers = (torch.arange(size, device=spans.device, dtype=torch.float64) + 0.5) * scale
    first = (centers - support + 0.5).long().clamp(min=0)
    last = torch.minimum((centers + support + 0.5).long(), lengths[:, None])
    places = first[:, :, None] + torch.arange(_tap_count(longest, size, kernel), device=spans.device)
    # Times the inverse, as torch's kernel has it: a division would round otherwise.
    weights = kernel.weigh((places.double() - centers[:, :, None] + 0.5) * (1.0 / widened)[:, :, None])
    weights = torch.where(places < last[:, :, None], weights, 0.0)
    return Taps(first, *_to_whole(weights / _sum_in_order(weights)[:, :, None]))


def _tap_count(longest: int, size: int, kernel: Kernel) -> int:
    return 2 * math.ceil(kernel.half_support * max(1.0, longest / size)) + 1


def _bicubic(offsets: Tensor) -> Tensor:
    x = offsets.abs()
    near = ((1.5 * x - 2.5) * x) * x + 1.0
    far = (((-0.5 * x + 2.5) * x) - 4.0) * x + 2.0
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, 0.0))


def _triangle(offsets: Tensor) -> Tensor:
    return (1.0 - offsets.abs()).clamp(min=0.0)


def _sum_in_order(weights: Tensor) -> Tensor:
    """Add up tap by tap, as the kernels do: another order could end a bit apart."""
    total = torch.zeros_like(weights[:, :, 0])
    for tap in range(weights.shape[2]):
        total = total + weights[:, :, tap]
    return total


def _to_whole(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights as whole numbers below 2 ** 15, and by how many bits they were shifted up for it."""
    largest = weights.amax(dim=(1, 2))
    bits = torch.zeros_like(largest, dtype=torch.int32)
    # As torch finds them: bit by bit, as long as the largest weight fits into 16.
    for more in range(1, MOST_BITS + 1):
        fits = (largest * 2.0**more + 0.5).long() < LARGEST_WEIGHT
        bits = torch.where(fits & (bits == more - 1), more, bits)
    shifted = weights * (torch.ones_like(bits) << bits).double()[:, None, None]
    # Away from zero, as torch's kernel rounds.
    return torch.where(shifted < 0, shifted - 0.5, shifted + 0.5).int(), bits


def _weigh_bytes(total: Tensor, bits: Tensor) -> Tensor:
    """Return sums of weighted bytes, int32 (B, ...), as bytes: rounded by `bits`, cut off at 0 and 255."""
    shift = bits.view(-1, 1, 1, 1)
    half = torch.ones_like(shift) << (shift - 1)
    return ((total + half) >> shift).clamp_(0, 255).to(torch.uint8)


KERNELS: dict[Interpolation, Kernel] = {"bicubic": Kernel(2.0, _bicubic), "bilinear": Kernel(1.0, _triangle)}
