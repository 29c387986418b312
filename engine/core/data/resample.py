"""Antialiased resizing of many crops at once, on any device: takes byte images, gives bytes, always the same.

The same bits as torch's kernel for bytes on the host: it weighs pixels with whole numbers and rounds after each
direction, and whole numbers add up alike everywhere. Formulas: bicubic is Keys 1981 with a = -0.5, bilinear a triangle;
when shrinking, the support is widened by the scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.spec.base import Interpolation

Line = tuple[int, int, int, int, int, int]
"""A box: first byte and width of its image in a flat tensor; left, top, width and height in the image."""
MOST_BITS, LARGEST_WEIGHT = 22, 1 << 15  # torch keeps its weights in 16 bits, and takes as many bits as then fit


@dataclass(frozen=True)
class Cut:
    """A batch that is cut on a device: `lines` and `flips` of the images at the places `large`, which it holds.

    `pixels` uint8 (n, 3, size, size) are what the host rendered for the places `small`, None where there are none.
    """

    lines: list[Line]
    flips: list[bool]
    large: list[int]
    small: list[int]
    pixels: Tensor | None
    size: int
    kind: Interpolation

    def at(self, size: int, kind: Interpolation) -> Cut:
        return replace(self, size=size, kind=kind)


@dataclass(frozen=True)
class Boxes:
    """Where B crops lie in a flat tensor of images (H x W x 3 each), all int64 (B,): the image's first byte and width,
    then the box in pixels. `longest`: the width and height of each box again, on the host, so that no device is asked.
    """

    start: Tensor
    width: Tensor
    left: Tensor
    top: Tensor
    wide: Tensor
    tall: Tensor
    longest: list[tuple[int, int]]

    @classmethod
    def of(cls, lines: list[Line], device: torch.device) -> Boxes:
        """Return the boxes of these lines on a device, brought there in one copy."""
        table = torch.tensor(lines, dtype=torch.int64).view(-1, 6).T.to(device, non_blocking=True)
        start, width, left, top, wide, tall = table.unbind(0)
        return cls(start, width, left, top, wide, tall, [(line[4], line[5]) for line in lines])

    def __len__(self) -> int:
        return len(self.longest)

    def __getitem__(self, some: slice) -> Boxes:
        columns = (self.start, self.width, self.left, self.top, self.wide, self.tall)
        start, width, left, top, wide, tall = (column[some] for column in columns)
        return Boxes(start, width, left, top, wide, tall, self.longest[some])

    @property
    def widest(self) -> int:
        return max(wide for wide, _ in self.longest)

    @property
    def tallest(self) -> int:
        return max(tall for _, tall in self.longest)


@dataclass(frozen=True)
class Taps:
    """For each of B crops and S output pixels, K source pixels: `first` int64 (B, S), `weights` int32 (B, S, K).

    Weights of a pixel add up to about 2 ** `bits` (int32 (B,)); those beyond its own taps are 0.
    """

    first: Tensor
    weights: Tensor
    bits: Tensor

    def part(self, some: slice, most: int) -> Taps:
        """Return the taps of some crops, `most` at most for each pixel."""
        return Taps(self.first[some], self.weights[some, :, :most], self.bits[some])


@dataclass(frozen=True)
class Kernel:
    """How pixels are weighed by their distance: `weigh` of it in pixels, nothing beyond `half_support`."""

    half_support: float
    weigh: Callable[[Tensor], Tensor]


def resize_boxes(flat: Tensor, boxes: Boxes, size: int, kind: Interpolation, at_once: int) -> Tensor:
    """Return the boxes of the images in `flat` (uint8, one dimension) resized to uint8 (B, 3, size, size).

    `at_once`: how many go through together, which is a matter of memory.
    """
    kernel = KERNELS[kind]
    # Of all crops together: a device is asked some hundred small things for them.
    across, down = (
        _byte_taps(lengths, size, longest, kernel)
        for lengths, longest in ((boxes.wide, boxes.widest), (boxes.tall, boxes.tallest))
    )
    images = torch.empty((len(boxes), 3, size, size), dtype=torch.uint8, device=flat.device)
    for first in range(0, len(boxes), at_once):
        some = slice(first, first + at_once)
        part = boxes[some]
        most = (tap_count(longest, size, kernel) for longest in (part.widest, part.tallest))
        # Across first, as torch does it: each direction rounds, so the order counts.
        rows = _resize_across(flat, part, size, across.part(some, next(most)))
        images[some] = _resize_down(rows, part, size, down.part(some, next(most))).permute(0, 3, 1, 2)
    return images


def _resize_across(flat: Tensor, boxes: Boxes, size: int, taps: Taps) -> Tensor:
    """Return uint8 (B, tallest, size, 3); lines below a box repeat its last one."""
    lines = torch.minimum(torch.arange(boxes.tallest, device=flat.device)[None], boxes.tall[:, None] - 1)
    starts = boxes.start[:, None] + (boxes.top[:, None] + lines) * boxes.width[:, None] * 3
    bases = starts[:, :, None, None] + torch.arange(3, device=flat.device)
    columns = 3 * (boxes.left[:, None, None] + _tap_places(taps, boxes.wide))
    total = torch.zeros((*lines.shape, size, 3), dtype=torch.int32, device=flat.device)
    # Tap by tap: all at once would take as many times the memory.
    for column, weights in zip(columns.unbind(2), taps.weights.unbind(2), strict=True):
        total += flat[bases + column[:, None, :, None]] * weights[:, None, :, None]
    return _weigh_bytes(total, taps.bits)


def _resize_down(rows: Tensor, boxes: Boxes, size: int, taps: Taps) -> Tensor:
    images = torch.arange(len(rows), device=rows.device)[:, None]
    total = torch.zeros((len(rows), size, *rows.shape[2:]), dtype=torch.int32, device=rows.device)
    lines = _tap_places(taps, boxes.tall)
    for line, weights in zip(lines.unbind(2), taps.weights.unbind(2), strict=True):
        total += rows[images, line] * weights[:, :, None, None]
    return _weigh_bytes(total, taps.bits)


def _tap_places(taps: Taps, lengths: Tensor) -> Tensor:
    """Return the source pixel of each tap, (B, S, K), within spans of `lengths`."""
    places = taps.first[:, :, None] + torch.arange(taps.weights.shape[2], device=lengths.device)
    return torch.minimum(places, lengths[:, None, None] - 1)


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
    places = first[:, :, None] + torch.arange(tap_count(longest, size, kernel), device=spans.device)
    # Times the inverse, as torch's kernel has it: a division would round otherwise.
    weights = kernel.weigh((places.double() - centers[:, :, None] + 0.5) * (1.0 / widened)[:, :, None])
    weights = torch.where(places < last[:, :, None], weights, 0.0)
    return Taps(first, *_to_whole(weights / _sum_in_order(weights)[:, :, None]))


def tap_count(longest: int, size: int, kernel: Kernel) -> int:
    """Return how many source pixels an output pixel has at most, of spans of `longest` pixels onto `size`."""
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
    # As torch finds them: bit by bit, as long as the largest weight fits into 16.
    shifts = torch.arange(1, MOST_BITS + 1, device=weights.device)
    fits = (largest[:, None] * (torch.ones_like(shifts) << shifts).double() + 0.5).long() < LARGEST_WEIGHT
    bits = fits.int().cumprod(dim=1).sum(dim=1, dtype=torch.int32)
    shifted = weights * (torch.ones_like(bits) << bits).double()[:, None, None]
    # Away from zero, as torch's kernel rounds.
    return torch.where(shifted < 0, shifted - 0.5, shifted + 0.5).int(), bits


def _weigh_bytes(total: Tensor, bits: Tensor) -> Tensor:
    """Return sums of weighted bytes, int32 (B, ...), as bytes: rounded by `bits`, cut off at 0 and 255."""
    shift = bits.view(-1, 1, 1, 1)
    half = torch.ones_like(shift) << (shift - 1)
    return ((total + half) >> shift).clamp_(0, 255).to(torch.uint8)


KERNELS: dict[Interpolation, Kernel] = {"bicubic": Kernel(2.0, _bicubic), "bilinear": Kernel(1.0, _triangle)}
