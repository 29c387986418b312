"""Colours, strengths, warps and erasing by a few launches: takes uint8 (B, 3, S, S) and an order, gives bytes.

The operations are those of augment.py, step by step; what an image goes through is a number of `Change`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.core.data.augment import FILL
from engine.core.data.kernels.orders import NUMBERS, Change, ChangeOrder
from engine.core.data.kernels.rounding import EXACT, luma, round_even, to_level

STRETCH, EQUALIZE, INVERT = (
    tl.constexpr(int(Change.STRETCH)),
    tl.constexpr(int(Change.EQUALIZE)),
    tl.constexpr(int(Change.INVERT)),
)
POSTERIZE, SOLARIZE, ADD = (
    tl.constexpr(int(Change.POSTERIZE)),
    tl.constexpr(int(Change.SOLARIZE)),
    tl.constexpr(int(Change.ADD)),
)
BLACK, MEAN, GREY = tl.constexpr(int(Change.BLACK)), tl.constexpr(int(Change.MEAN)), tl.constexpr(int(Change.GREY))
SMOOTH, WARP, TABLES = tl.constexpr(int(Change.SMOOTH)), tl.constexpr(int(Change.WARP)), tl.constexpr(int(Change.MEAN))
OUTSIDE, WORDS = tl.constexpr(FILL), tl.constexpr(NUMBERS)
BLOCK, COUNTED = 512, 1024  # pixels of a program, and of a step of one that counts a whole image


def change_ordered(images: Tensor, order: ChangeOrder, arrays: Sequence[Tensor]) -> Tensor:
    """Return the images (B, 3, S, S), which may be written to, as the order says."""
    count, size = len(images), images.shape[-1]
    blocks = triton.cdiv(size * size, BLOCK)
    for kinds, numbers in ((arrays[kinds], arrays[numbers]) for kinds, numbers in order.layers):
        tables = torch.empty((count, 3, 256), dtype=torch.uint8, device=images.device)
        make_tables[(3 * count,)](images, kinds, numbers, tables, size * size, COUNTED, **EXACT)
        changed = torch.empty_like(images)
        change_pixels[(count * blocks,)](images, changed, kinds, numbers, tables, blocks, size, BLOCK, **EXACT)
        images = changed
    if order.factors is None and order.boxes is None:
        return images
    jitters, erases = order.factors is not None, order.boxes is not None
    factors = arrays[order.factors] if order.factors is not None else images
    boxes, noise = (images, images) if order.boxes is None else (arrays[order.boxes], arrays[order.noise])
    means = torch.empty(count, dtype=torch.float32, device=images.device)
    if jitters:
        find_means[(count,)](images, factors, means, size * size, COUNTED, **EXACT)
    grid = (count * blocks,)
    finish_pixels[grid](images, factors, means, boxes, noise, blocks, jitters, erases, size, BLOCK, **EXACT)
    return images


@triton.jit
def make_tables(images, kinds, numbers, tables, COUNT: tl.constexpr, BLOCK: tl.constexpr):
    """Write what becomes of each level of one channel of an image, where that is all that an operation asks."""
    plane = tl.program_id(0)
    image = plane // 3
    kind = tl.load(kinds + image)
    if (kind > 0) & (kind <= TABLES):
        number = tl.load(numbers + image * WORDS)
        level = tl.arange(0, 256)
        table = level
        value = level.to(tl.float32)
        if kind == INVERT:
            table = 255 - level
        elif kind == POSTERIZE:
            table = level & number.to(tl.int32)
        elif kind == SOLARIZE:
            table = tl.where(value >= number, 255 - level, level)
        elif kind == ADD:
            table = tl.where(level < 128, to_level(value + number), level)
        elif kind == BLACK:
            table = to_level(value * number)
        elif kind == MEAN:
            source = images + image.to(tl.int64) * (3 * COUNT)
            mean = mean_grey(source, 1.0, COUNT, BLOCK)
            table = to_level((value - mean) * number + mean)
        else:
            counts = count_levels(images + plane.to(tl.int64) * COUNT, level, COUNT, BLOCK)
            table = tl.where(kind == STRETCH, stretch_levels(counts, level), equalize_levels(counts, level, COUNT))
        tl.store(tables + plane * 256 + level, table.to(tl.uint8))


@triton.jit
def count_levels(source, level, COUNT: tl.constexpr, BLOCK: tl.constexpr):
    """Return how many pixels of a plane have each level, int32 (256,)."""
    counts = tl.zeros((256,), tl.int32)
    for first in range(0, COUNT, BLOCK):
        place = first + tl.arange(0, BLOCK)
        counts += tl.histogram(tl.load(source + place, place < COUNT, 0).to(tl.int32), 256).to(tl.int32)
    # What lies beyond the plane was counted as 0.
    beyond = (COUNT + BLOCK - 1) // BLOCK * BLOCK - COUNT
    return counts - tl.where(level == 0, beyond, 0)


@triton.jit
def stretch_levels(counts, level):
    low = tl.min(tl.where(counts > 0, level, 255), axis=0).to(tl.float32)
    high = tl.max(tl.where(counts > 0, level, 0), axis=0).to(tl.float32)
    span = tl.maximum(high - low, 1.0)
    # Torch divides a number by a tensor so.
    scale = tl.where(high > low, tl.div_rn(span * 0.0 + 1.0, span) * 255.0, 1.0)
    return to_level((level.to(tl.float32) - tl.where(high > low, low, 0.0)) * scale)


@triton.jit
def equalize_levels(counts, level, COUNT: tl.constexpr):
    highest = tl.max(tl.where(counts > 0, level, 0), axis=0)
    step = (COUNT - tl.sum(tl.where(level == highest, counts, 0), axis=0)) // 255
    below = tl.cumsum(counts, axis=0) - counts
    table = tl.minimum((below + step // 2) // tl.maximum(step, 1), 255)
    return tl.where(step > 0, table, level)


@triton.jit
def mean_grey(source, factor, COUNT: tl.constexpr, BLOCK: tl.constexpr):
    """Return the mean grey of an image (fp32) whose levels are first multiplied by `factor`."""
    total = tl.full((), 0, tl.int64)
    for first in range(0, COUNT, BLOCK):
        place = first + tl.arange(0, BLOCK)
        inside = place < COUNT
        red = to_level(tl.load(source + place, inside, 0).to(tl.float32) * factor)
        green = to_level(tl.load(source + COUNT + place, inside, 0).to(tl.float32) * factor)
        blue = to_level(tl.load(source + 2 * COUNT + place, inside, 0).to(tl.float32) * factor)
        total += tl.sum(luma(red, green, blue), axis=0).to(tl.int64)
    return (total.to(tl.float64) / tl.full((), COUNT, tl.float64)).to(tl.float32)


@triton.jit
def change_pixels(images, changed, kinds, numbers, tables, blocks, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    """Write some pixels of an image as its operation has them: by the table, the pixel's grey, neighbours or a warp."""
    image = tl.program_id(0) // blocks
    place = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    inside = place < SIZE * SIZE
    kind = tl.load(kinds + image)
    number = numbers + image * WORDS
    source = images + image.to(tl.int64) * (3 * SIZE * SIZE)
    target = changed + image.to(tl.int64) * (3 * SIZE * SIZE)
    row, column = place // SIZE, place % SIZE
    if kind == WARP:
        warp_pixels(source, target, number, place, row, column, inside, SIZE)
    elif kind == SMOOTH:
        smooth_pixels(source, target, number, place, row, column, inside, SIZE)
    elif kind == GREY:
        red, green, blue = load_pixel(source, place, inside, SIZE * SIZE)
        grey = luma(red, green, blue).to(tl.float32)
        factor = tl.load(number)
        store_pixel(
            target, place, inside, SIZE * SIZE, blend(red, grey, factor), blend(green, grey, factor),
            blend(blue, grey, factor),
        )  # fmt: skip
    else:
        red, green, blue = load_pixel(source, place, inside, SIZE * SIZE)
        if kind > 0:
            table = tables + image * 768
            red = tl.load(table + red).to(tl.int32)
            green = tl.load(table + 256 + green).to(tl.int32)
            blue = tl.load(table + 512 + blue).to(tl.int32)
        store_pixel(target, place, inside, SIZE * SIZE, red, green, blue)


@triton.jit
def load_pixel(source, place, inside, COUNT: tl.constexpr):
    """Return the three levels of pixels, int32."""
    red = tl.load(source + place, inside, 0).to(tl.int32)
    green = tl.load(source + COUNT + place, inside, 0).to(tl.int32)
    blue = tl.load(source + 2 * COUNT + place, inside, 0).to(tl.int32)
    return red, green, blue


@triton.jit
def store_pixel(target, place, inside, COUNT: tl.constexpr, red, green, blue):
    tl.store(target + place, red.to(tl.uint8), inside)
    tl.store(target + COUNT + place, green.to(tl.uint8), inside)
    tl.store(target + 2 * COUNT + place, blue.to(tl.uint8), inside)


@triton.jit
def blend(level, base, factor):
    """Return base + factor * (level - base), as a level."""
    return to_level((level.to(tl.float32) - base) * factor + base)


@triton.jit
def smooth_pixels(source, target, number, place, row, column, inside, SIZE: tl.constexpr):
    """Blend with the image smoothed by (1 1 1, 1 5 1, 1 1 1) / 13; the border stays."""
    factor = tl.load(number)
    within = inside & (row > 0) & (row < SIZE - 1) & (column > 0) & (column < SIZE - 1)
    for channel in tl.static_range(3):
        middle = source + channel * (SIZE * SIZE) + place
        level = tl.load(middle, inside, 0).to(tl.int32)
        total = 4 * level
        for down in tl.static_range(-1, 2):
            for across in tl.static_range(-1, 2):
                total += tl.load(middle + (down * SIZE + across), within, 0).to(tl.int32)
        smooth = tl.where(within, round_even(total.to(tl.float32) * (1 / 13)), level.to(tl.float32))
        tl.store(target + channel * (SIZE * SIZE) + place, blend(level, smooth, factor).to(tl.uint8), inside)


@triton.jit
def warp_pixels(source, target, number, place, row, column, inside, SIZE: tl.constexpr):
    """Resample (bilinear, to 1/64 between four pixels, grey outside) by the six numbers of a matrix."""
    across = column.to(tl.float32) - (SIZE - 1) / 2
    down = row.to(tl.float32) - (SIZE - 1) / 2
    x = (tl.load(number) * across + tl.load(number + 1) * down) + tl.load(number + 2)
    y = (tl.load(number + 3) * across + tl.load(number + 4) * down) + tl.load(number + 5)
    columns, rows = round_even(64.0 * x).to(tl.int32), round_even(64.0 * y).to(tl.int32)
    left, top, right_share, low_share = columns >> 6, rows >> 6, columns & 63, rows & 63
    for channel in tl.static_range(3):
        plane = source + channel * (SIZE * SIZE)
        upper = mix_line(plane, top, left, right_share, inside, SIZE)
        lower = mix_line(plane, top + 1, left, right_share, inside, SIZE)
        level = (upper * (64 - low_share) + lower * low_share + 2048) >> 12
        tl.store(target + channel * (SIZE * SIZE) + place, level.to(tl.uint8), inside)


@triton.jit
def mix_line(plane, row, left, share, inside, SIZE: tl.constexpr):
    """Return two neighbours of a line by their shares of 64."""
    held = inside & (row >= 0) & (row < SIZE)
    near = tl.load(plane + row * SIZE + left, held & (left >= 0) & (left < SIZE), OUTSIDE).to(tl.int32)
    far = tl.load(plane + row * SIZE + left + 1, held & (left >= -1) & (left < SIZE - 1), OUTSIDE).to(tl.int32)
    return near * (64 - share) + far * share


@triton.jit
def find_means(images, factors, means, COUNT: tl.constexpr, BLOCK: tl.constexpr):
    """Write the mean grey of an image once its brightness is changed: contrast is blended with it."""
    image = tl.program_id(0)
    source = images + image.to(tl.int64) * (3 * COUNT)
    tl.store(means + image, mean_grey(source, tl.load(factors + 3 * image), COUNT, BLOCK))


@triton.jit
def finish_pixels(
    images, factors, means, boxes, noise, blocks, JITTERS: tl.constexpr, ERASES: tl.constexpr, SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Write some pixels of an image in place: brightness, contrast, saturation, then noise in its box."""
    image = tl.program_id(0) // blocks
    place = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    inside = place < SIZE * SIZE
    source = images + image.to(tl.int64) * (3 * SIZE * SIZE)
    red, green, blue = load_pixel(source, place, inside, SIZE * SIZE)
    if JITTERS:
        bright, contrast = tl.load(factors + 3 * image), tl.load(factors + 3 * image + 1)
        colour, mean = tl.load(factors + 3 * image + 2), tl.load(means + image)
        red = blend(to_level(red.to(tl.float32) * bright), mean, contrast)
        green = blend(to_level(green.to(tl.float32) * bright), mean, contrast)
        blue = blend(to_level(blue.to(tl.float32) * bright), mean, contrast)
        grey = luma(red, green, blue).to(tl.float32)
        red, green, blue = blend(red, grey, colour), blend(green, grey, colour), blend(blue, grey, colour)
    if ERASES:
        box = boxes + 5 * image
        top, left, tall, wide = tl.load(box), tl.load(box + 1), tl.load(box + 2), tl.load(box + 3)
        row, column = place // SIZE - top, place % SIZE - left
        erased = inside & (row >= 0) & (row < tall) & (column >= 0) & (column < wide)
        filling = noise + tl.load(box + 4) + row * wide + column
        red = tl.where(erased, tl.load(filling, erased, 0).to(tl.int32), red)
        green = tl.where(erased, tl.load(filling + tall * wide, erased, 0).to(tl.int32), green)
        blue = tl.where(erased, tl.load(filling + 2 * tall * wide, erased, 0).to(tl.int32), blue)
    store_pixel(source, place, inside, SIZE * SIZE, red, green, blue)
