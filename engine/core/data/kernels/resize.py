"""Crops resized by three launches: takes boxes of images in a flat tensor, gives uint8 (B, 3, S, S), mirrored or not.

The formulas and the order of their steps are those of resample.py, which says where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.core.data.kernels.parcel import Parcel
from engine.core.data.kernels.rounding import EXACT
from engine.core.data.resample import KERNELS, LARGEST_WEIGHT, MOST_BITS, Line, tap_count
from engine.spec.base import Interpolation

COLUMNS = tl.constexpr(8)  # of a box: first byte, width, left, top, wide, tall, first of its lines, mirrored
BITS, LARGEST = tl.constexpr(MOST_BITS), tl.constexpr(LARGEST_WEIGHT)
BLOCK = 1024


@dataclass(frozen=True)
class BoxOrder:
    """Where the arrays of B boxes are in a parcel, and what a launch has to know of them."""

    boxes: int
    spans: int
    counts: int
    size: int
    kind: Interpolation
    images: int
    tallest: int
    lines: int
    most_taps: int


def order_boxes(
    parcel: Parcel, lines: Sequence[Line], flips: Sequence[bool], size: int, kind: Interpolation
) -> BoxOrder:
    """Put the boxes into the parcel."""
    table = np.array(lines, dtype=np.int64)
    tall = table[:, 5]
    first_lines = np.cumsum(tall) - tall
    boxes = np.concatenate([table, first_lines[:, None], np.array(flips, dtype=np.int64)[:, None]], axis=1)
    # Across, then down.
    spans = table[:, 4:6].T.reshape(-1)
    counts = np.array([tap_count(span, size, KERNELS[kind]) for span in spans.tolist()])
    return BoxOrder(
        parcel.add(boxes),
        parcel.add(spans.astype(np.int32)),
        parcel.add(counts.astype(np.int32)),
        size,
        kind,
        images=len(table),
        tallest=int(tall.max()),
        lines=int(tall.sum()),
        most_taps=int(counts.max()),
    )


def resize_ordered(flat: Tensor, order: BoxOrder, arrays: Sequence[Tensor]) -> Tensor:
    """Return the boxes of the images in `flat` (uint8, one dimension), resized and mirrored as the order says."""
    boxes, spans, counts = (arrays[place] for place in (order.boxes, order.spans, order.counts))
    size, most = order.size, order.most_taps
    first = torch.empty((len(spans), size), dtype=torch.int32, device=flat.device)
    weights = torch.empty((len(spans), most, size), dtype=torch.int32, device=flat.device)
    bits = torch.empty(len(spans), dtype=torch.int32, device=flat.device)
    wide = triton.next_power_of_2(size)
    half, is_cubic = KERNELS[order.kind].half_support, order.kind == "bicubic"
    make_taps[(len(spans),)](spans, counts, first, weights, bits, most, half, is_cubic, size, wide, **EXACT)
    rows = torch.empty(order.lines * size * 3, dtype=torch.uint8, device=flat.device)
    images = torch.empty((order.images, 3, size, size), dtype=torch.uint8, device=flat.device)
    blocks = triton.cdiv(order.tallest * size * 3, BLOCK)
    taps = (counts, first, weights, bits, most)
    resize_across[(order.images * blocks,)](flat, rows, boxes, *taps, blocks, size, BLOCK, **EXACT)
    blocks = triton.cdiv(3 * size * size, BLOCK)
    resize_down[(order.images * blocks,)](rows, images, boxes, *taps, order.images, blocks, size, BLOCK, **EXACT)
    return images


@triton.jit
def make_taps(
    spans, counts, first, weights, bits, most, HALF: tl.constexpr, CUBIC: tl.constexpr, SIZE: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    """Weigh the source pixels of one span: in doubles, then as whole numbers below 2 ** 15."""
    span = tl.program_id(0)
    length = tl.load(spans + span)
    count = tl.load(counts + span)
    pixel = tl.arange(0, WIDE)
    inside = pixel < SIZE
    scale = length.to(tl.float64) / tl.full((), SIZE, tl.float64)
    widened = tl.maximum(scale, tl.full((), 1.0, tl.float64))
    inverse = tl.full((), 1.0, tl.float64) / widened
    support = widened * HALF
    centers = (pixel.to(tl.float64) + 0.5) * scale
    begin = tl.maximum((centers - support + 0.5).to(tl.int64), 0)
    end = tl.minimum((centers + support + 0.5).to(tl.int64), length)
    total = tl.zeros((WIDE,), tl.float64)
    for tap in range(count):
        total += weigh(begin + tap, end, centers, inverse, CUBIC)
    total = tl.where(inside, total, 1.0)
    largest = tl.zeros((WIDE,), tl.float64)
    for tap in range(count):
        largest = tl.maximum(largest, weigh(begin + tap, end, centers, inverse, CUBIC) / total)
    most_weight = tl.max(tl.where(inside, largest, 0.0), axis=0)
    shift = tl.full((), 0, tl.int32)
    factor = tl.full((), 1.0, tl.float64)
    for _ in tl.static_range(BITS):
        # As long as the largest weight fits: it grows with each bit, so that none fits behind one that does not.
        fits = (most_weight * (factor * 2.0) + 0.5).to(tl.int64) < LARGEST
        shift = tl.where(fits, shift + 1, shift)
        factor = tl.where(fits, factor * 2.0, factor)
    tl.store(bits + span, shift)
    tl.store(first + span * SIZE + pixel, begin.to(tl.int32), inside)
    for tap in range(count):
        shifted = weigh(begin + tap, end, centers, inverse, CUBIC) / total * factor
        whole = tl.where(shifted < 0.0, shifted - 0.5, shifted + 0.5).to(tl.int32)
        tl.store(weights + (span * most + tap) * SIZE + pixel, whole, inside)


@triton.jit
def weigh(place, end, centers, inverse, CUBIC: tl.constexpr):
    """Return the weight of the source pixels at `place`, by their distance from the centers; none from `end` on."""
    x = tl.abs((place.to(tl.float64) - centers + 0.5) * inverse)
    if CUBIC:
        near = ((1.5 * x - 2.5) * x) * x + 1.0
        far = (((-0.5 * x + 2.5) * x) - 4.0) * x + 2.0
        weight = tl.where(x < 1.0, near, tl.where(x < 2.0, far, 0.0))
    else:
        weight = tl.maximum(1.0 - x, 0.0)
    return tl.where(place < end, weight, 0.0)


@triton.jit
def resize_across(
    flat, rows, boxes, counts, first, weights, bits, most, blocks, SIZE: tl.constexpr, BLOCK: tl.constexpr
):
    """Write the lines of one box, (tall, SIZE, 3), behind those of the boxes before it."""
    image = tl.program_id(0) // blocks
    number = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    box = boxes + image * COLUMNS
    wide, tall = tl.load(box + 4).to(tl.int32), tl.load(box + 5).to(tl.int32)
    inside = number < tall * (SIZE * 3)
    line, pixel, channel = number // (SIZE * 3), number // 3 % SIZE, number % 3
    start = tl.load(box) + (tl.load(box + 3) + line) * tl.load(box + 1) * 3
    columns = tl.load(first + image * SIZE + pixel)
    total = tl.zeros((BLOCK,), tl.int32)
    for tap in range(tl.load(counts + image)):
        column = tl.load(box + 2) + tl.minimum(columns + tap, wide - 1)
        weight = tl.load(weights + (image * most + tap) * SIZE + pixel)
        total += tl.load(flat + start + column * 3 + channel, inside, 0).to(tl.int32) * weight
    behind = tl.load(box + 6) * (SIZE * 3)
    tl.store(rows + behind + number, round_bits(total, tl.load(bits + image)), inside)


@triton.jit
def resize_down(
    rows, images, boxes, counts, first, weights, bits, most, count, blocks, SIZE: tl.constexpr, BLOCK: tl.constexpr
):
    """Write one image (3, SIZE, SIZE), mirrored where its box says so."""
    image = tl.program_id(0) // blocks
    span = count + image
    number = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    inside = number < 3 * SIZE * SIZE
    channel, line, pixel = number // (SIZE * SIZE), number // SIZE % SIZE, number % SIZE
    box = boxes + image * COLUMNS
    tall = tl.load(box + 5).to(tl.int32)
    shown = tl.where(tl.load(box + 7) > 0, SIZE - 1 - pixel, pixel)
    start = rows + tl.load(box + 6) * (SIZE * 3) + shown * 3 + channel
    lines = tl.load(first + span * SIZE + line)
    total = tl.zeros((BLOCK,), tl.int32)
    for tap in range(tl.load(counts + span)):
        weight = tl.load(weights + (span * most + tap) * SIZE + line)
        level = tl.load(start + tl.minimum(lines + tap, tall - 1) * (SIZE * 3), inside, 0)
        total += level.to(tl.int32) * weight
    where = images + image.to(tl.int64) * (3 * SIZE * SIZE) + number
    tl.store(where, round_bits(total, tl.load(bits + span)), inside)


@triton.jit
def round_bits(total, shift):
    """Return sums of weighted bytes as bytes: rounded by `shift` bits, cut off at 0 and 255."""
    level = (total + (1 << (shift - 1))) >> shift
    return tl.minimum(tl.maximum(level, 0), 255).to(tl.uint8)
