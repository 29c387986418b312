"""Photometric and small geometric augmentation: takes a batch of rendered views, gives them changed, image by image.

Every number drawn belongs to (view seed, view, key), and every operation works on bytes and rounds to bytes, so an
image comes out the same in any batch. Numbers of an image are worked out on the host, and pixels only by whole numbers
or single steps that every device rounds alike (no fused or summed floats, no division by a constant, which some devices
turn into a product), so a device makes the same bytes as the host. RandAugment is Cubuk et al. 2020 with magnitudes
that all grow in strength (as timm's inc1), random erasing Zhong et al. 2020 with byte noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.data.draws import draw_bytes, draw_uniform
from engine.core.own_code.views import change_views
from engine.spec import Augment, RandAugment, parse_rand_augment

# Grey, where a warp shows what lies outside of the image.
FILL = 128
LANES = 1 | 1 << 20 | 1 << 40  # where the three channels of a pixel lie in one whole number
# Bounds of a box's share of the area and aspect ratio (timm's), and how often a box that does not fit is drawn anew.
ERASE_AREA, ERASE_RATIO, ERASE_TRIES = (0.02, 1 / 3), (0.3, 10 / 3), 8
Operation = Callable[[Tensor, Tensor], Tensor]
Matrix = Sequence[Tensor | float]
EraseBox = tuple[int, int, int, int]  # top, left, height, width


def changes_pixels(augment: Augment) -> bool:
    """Whether a view is more than a crop and a flip."""
    return augment.extra is not None or any(getattr(augment, word) for word in STEPS)


def augment_views(images: Tensor, keys: Sequence[str], view: int, view_seed: int, augment: Augment) -> Tensor:
    """Return uint8 (B, 3, S, S) views, on any device, changed as `augment` says: by STEPS in turn, own code last.

    `keys` are those of the B images; `images` itself may be written to.
    """
    draw = Draws(view_seed, view)
    for word, step in STEPS.items():
        if asked := getattr(augment, word):
            images = step(images, keys, draw, asked)
    if augment.extra is not None:
        seeds = [int(draw(key, "extra")[0] * 2**53) for key in keys]
        images = change_views(images, seeds, augment.extra, augment.options)
    return images


@dataclass(frozen=True)
class Draws:
    """The random numbers of one view: eight uniform ones for each image and use."""

    view_seed: int
    view: int

    def __call__(self, key: str, use: str, block: int = 0) -> tuple[float, ...]:
        return draw_uniform(self.view_seed, self.view, key, use, block)


def rand_augment(images: Tensor, keys: Sequence[str], draw: Draws, notation: str) -> Tensor:
    """Apply layer after layer; images that drew the same operation go through it together."""
    settings = parse_rand_augment(notation)
    for layer in range(settings.layers):
        chosen = draw_layer(keys, draw, settings, layer)
        drawn = [place for members in chosen.values() for place, _ in members]
        places_of_all = _move(torch.tensor(drawn, dtype=torch.int64), images)
        groups = torch.split(places_of_all, [len(members) for members in chosen.values()])
        for (name, members), places in zip(chosen.items(), groups, strict=True):
            levels = torch.tensor([level for _, level in members])
            images[places] = OPERATIONS[name](images[places], levels)
    return images


def draw_layer(
    keys: Sequence[str], draw: Draws, settings: RandAugment, layer: int
) -> dict[str, list[tuple[int, float]]]:
    """Return, by operation, the places of the images that go through it in this layer, and at which level."""
    # Their order is part of every view: a pick is a place in it.
    names = list(OPERATIONS)
    chosen: dict[str, list[tuple[int, float]]] = {}
    for place, key in enumerate(keys):
        chance, pick, sign, first, second, *_ = draw(key, f"randaugment {layer}")
        if chance < settings.chance:
            # Box and Muller: a normal number out of two uniform ones; log1p(-x), because x may be 0.
            spread = math.sqrt(-2 * math.log1p(-first)) * math.cos(2 * math.pi * second)
            level = min(10.0, max(0.0, settings.mean + settings.deviation * spread)) / 10
            chosen.setdefault(names[int(pick * len(names))], []).append((place, level if sign < 0.5 else -level))
    return chosen


def jitter_colors(images: Tensor, keys: Sequence[str], draw: Draws, strength: float) -> Tensor:
    """Brightness, contrast and saturation, in this order, each by a factor uniform in [1 - strength, 1 + strength]."""
    factors = draw_factors(keys, draw, strength)
    for column, blend in enumerate((_blend_black, _blend_mean, _blend_grey)):
        images = blend(images, factors[:, column])
    return images


def draw_factors(keys: Sequence[str], draw: Draws, strength: float) -> Tensor:
    """Return fp32 (B, 3): by what the brightness, contrast and saturation of each image are multiplied."""
    draws = torch.tensor([draw(key, "jitter")[:3] for key in keys], dtype=torch.float32)
    return (1 + strength * (2 * draws - 1)).clamp(min=0.0)


def erase_boxes(images: Tensor, keys: Sequence[str], draw: Draws, chance: float) -> Tensor:
    """Fill one box of an image with noise, in `chance` of the images."""
    boxes, noise = draw_erasing(keys, draw, chance, images.shape[-1])
    if not boxes:
        return images
    # All of it in one copy.
    fillings = torch.split(
        _move(torch.from_numpy(noise), images), [3 * tall * wide for _, _, tall, wide in boxes.values()]
    )
    for (place, (top, left, tall, wide)), filling in zip(boxes.items(), fillings, strict=True):
        images[place, :, top : top + tall, left : left + wide] = filling.view(3, tall, wide)
    return images


def draw_erasing(
    keys: Sequence[str], draw: Draws, chance: float, size: int
) -> tuple[dict[int, EraseBox], NDArray[np.uint8]]:
    """Return the box of each place that has one, and their noise, (3, tall, wide) each, one after another."""
    chosen = ((place, key) for place, key in enumerate(keys) if draw(key, "erase")[0] < chance)
    boxes = {place: box for place, key in chosen if (box := _draw_box(draw, key, size)) is not None}
    noise = [
        draw_bytes(draw.view_seed, draw.view, keys[place], "noise", 3 * tall * wide)
        for place, (_, _, tall, wide) in boxes.items()
    ]
    return boxes, np.concatenate([np.empty(0, dtype=np.uint8), *noise])


def _draw_box(draw: Draws, key: str, size: int) -> EraseBox | None:
    # Block 0 has said whether there is a box at all.
    for block in range(1, ERASE_TRIES + 1):
        area, ratio, first, second, *_ = draw(key, "erase", block)
        share = ERASE_AREA[0] + area * (ERASE_AREA[1] - ERASE_AREA[0])
        low, high = (math.log(bound) for bound in ERASE_RATIO)
        aspect = math.exp(low + ratio * (high - low))
        tall, wide = round(size * math.sqrt(share * aspect)), round(size * math.sqrt(share / aspect))
        if 0 < tall <= size and 0 < wide <= size:
            return int(first * (size - tall + 1)), int(second * (size - wide + 1)), tall, wide
    return None


def _to_bytes(values: Tensor) -> Tensor:
    return values.round_().clamp_(0, 255).to(torch.uint8)


def _move(numbers: Tensor, images: Tensor) -> Tensor:
    """Return numbers of the host where the images are; the host goes on at once."""
    return numbers.to(images.device, non_blocking=True)


def _per_image(levels: Tensor, images: Tensor) -> Tensor:
    """Return one number for each image, where the images are."""
    return _move(levels.view(-1, 1, 1, 1), images)


def _luma(images: Tensor) -> Tensor:
    """Return the grey of each pixel, int32 (B, 1, S, S), by ITU-R 601 weights in whole numbers."""
    levels = images.int()
    red, green, blue = levels[:, 0:1], levels[:, 1:2], levels[:, 2:3]
    return (299 * red + 587 * green + 114 * blue + 500) // 1000


def _blend(images: Tensor, base: Tensor, factors: Tensor) -> Tensor:
    """Return base + factor * (image - base)."""
    return _to_bytes((images.float() - base) * _per_image(factors, images) + base)


def _blend_black(images: Tensor, factors: Tensor) -> Tensor:
    return _to_bytes(images.float() * _per_image(factors, images))


def _blend_mean(images: Tensor, factors: Tensor) -> Tensor:
    grey = _luma(images).flatten(1)
    totals = grey.sum(dim=1, dtype=torch.int64).double()
    # By a tensor, not a number: a division by a constant may become a product (see above).
    means = (totals / torch.full_like(totals, grey.shape[1])).float()
    return _blend(images, means.view(-1, 1, 1, 1), factors)


def _blend_grey(images: Tensor, factors: Tensor) -> Tensor:
    return _blend(images, _luma(images).float(), factors)


def _blend_smooth(images: Tensor, factors: Tensor) -> Tensor:
    """Blend with the image smoothed by (1 1 1, 1 5 1, 1 1 1) / 13; the border stays."""
    pixels = images.int()
    rows = pixels[:, :, :-2] + pixels[:, :, 1:-1] + pixels[:, :, 2:]
    total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * pixels[:, :, 1:-1, 1:-1]
    smooth = images.float()
    smooth[:, :, 1:-1, 1:-1] = (total.float() * (1 / 13)).round_()  # a thirteenth is never near a half
    return _blend(images, smooth, factors)


def _stretch(images: Tensor, levels: Tensor) -> Tensor:
    low, high = images.amin(dim=(2, 3), keepdim=True).float(), images.amax(dim=(2, 3), keepdim=True).float()
    # A channel of one level has nothing to be stretched.
    scale = torch.where(high > low, 255 / (high - low).clamp(min=1), 1.0)
    return _to_bytes((images.float() - torch.where(high > low, low, 0.0)) * scale)


def _equalize(images: Tensor, levels: Tensor) -> Tensor:
    """Spread each channel's histogram evenly; a channel of one level stays."""
    planes = images.flatten(2).flatten(0, 1)
    # Each channel of each image gets 256 bins of its own in one count.
    apart = planes + 256 * torch.arange(len(planes), device=images.device)[:, None]
    # Not bincount: on a device it asks for the largest value, and the host waits for the answer.
    one = torch.ones(1, dtype=torch.int64, device=images.device)
    counts = torch.zeros(256 * len(planes), dtype=torch.int64, device=images.device)
    counts = counts.scatter_add_(0, apart.flatten(), one.expand(apart.numel())).view(-1, 256)
    highest = (torch.arange(256, device=images.device) * (counts > 0)).amax(dim=1, keepdim=True)
    # As Pillow does it: the pixels of the highest level are not shared out.
    step = (planes.shape[1] - counts.gather(1, highest)) // 255
    below = counts.cumsum(dim=1) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=images.device)).to(torch.uint8)
    return table.gather(1, planes.long()).view(images.shape)


def _invert(images: Tensor, levels: Tensor) -> Tensor:
    return 255 - images


def _posterize(images: Tensor, levels: Tensor) -> Tensor:
    return images & _per_image(posterize_masks(levels), images)


def posterize_masks(levels: Tensor) -> Tensor:
    """Return uint8 masks that keep the upper 4 bits and fewer the stronger; at least one."""
    return 255 << (4 + (4 * levels.abs()).floor()).clamp(max=7).to(torch.uint8)


def _solarize(images: Tensor, levels: Tensor) -> Tensor:
    return torch.where(images.float() >= _per_image(solarize_bounds(levels), images), 255 - images, images)


def solarize_bounds(levels: Tensor) -> Tensor:
    """Return the level from which an image is inverted."""
    return 256 - 256 * levels.abs()


def _solarize_add(images: Tensor, levels: Tensor) -> Tensor:
    raised = _to_bytes(images.float() + _per_image(solarize_raises(levels), images))
    return torch.where(images < 128, raised, images)


def solarize_raises(levels: Tensor) -> Tensor:
    """Return by how much what is dark is raised."""
    # 110 and 128 are AutoAugment's, as in timm.
    return (110 * levels.abs()).floor()


def _enhance(blend: Operation) -> Operation:
    return lambda images, levels: blend(images, enhance_factors(levels))


def enhance_factors(levels: Tensor) -> Tensor:
    """Return factors of 1 plus or minus up to 0.9."""
    return (1 + 0.9 * levels).clamp(min=0.1)


def _warp(name: str) -> Operation:
    """Return the operation that resamples (bilinear, grey outside) by the matrices of MATRICES."""

    def apply(images: Tensor, levels: Tensor) -> Tensor:
        size = images.shape[-1]
        a, b, c, d, e, f = matrix_numbers(name, levels, size).unsqueeze(2).unbind(1)
        steps = (torch.arange(size, dtype=torch.float32) - (size - 1) / 2)[None]
        # Products on the host and single sums on the device, which might fuse them and round once less.
        lines = [a * steps, b * steps, c, d * steps, e * steps, f]
        # All of them in one copy.
        packed = torch.split(_move(torch.cat(lines, dim=1), images), [line.shape[1] for line in lines], dim=1)
        shape = (len(images), size, size)
        column, row = (
            ((packed[at][:, None, :] + packed[at + 1][:, :, None]) + packed[at + 2][:, :, None]).expand(shape)
            for at in (0, 3)
        )
        return _sample(images, column, row)

    return apply


def matrix_numbers(name: str, levels: Tensor, size: int) -> Tensor:
    """Return fp32 (n, 6): output (x, y), from the middle, shows the input's pixel (a x + b y + c, d x + e y + f)."""
    parts = [torch.as_tensor(part, dtype=torch.float32).expand(len(levels)) for part in MATRICES[name](levels)]
    for place in (2, 5):
        parts[place] = parts[place] * (size / 2) + (size - 1) / 2
    return torch.stack(parts, dim=1)


def _sample(images: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Return the images (B, 3, S, S) at these places in pixels (each fp32 (B, S, S)), to 1/64 between four pixels.

    The three channels of a pixel lie in one whole number, 20 bits each, and are looked up and weighed together.
    """
    size = images.shape[-1]
    red, green, blue = (images[:, channel].long() for channel in range(3))
    # A border of one pixel, onto which everything further out is clamped.
    colours = torch.full((len(images), size + 2, size + 2), FILL * LANES, device=images.device)
    # 255 * 64 * 64, the largest weighed sum, needs 20 bits.
    colours[:, 1:-1, 1:-1] = green.bitwise_left_shift_(20).add_(red).add_(blue.bitwise_left_shift_(40))
    columns, rows = ((64 * place).round_().int().flatten(1) for place in (column, row))
    # Plus the border, by which pixel 0 lies at 1.
    lefts, tops = ([((edge >> 6) + step).clamp_(0, size + 1) for step in (1, 2)] for edge in (columns, rows))
    across, down = columns & 63, rows & 63

    def blend(line: Tensor) -> Tensor:
        places = (line * (size + 2)).long()
        near, far = (colours.flatten(1).gather(1, places + left) for left in lefts)
        return near.mul_(64 - across).add_(far.mul_(across))

    # Half of 64 * 64, to round to the nearest.
    total = blend(tops[0]).mul_(64 - down).add_(blend(tops[1]).mul_(down)).add_(LANES << 11)
    channels = [(total >> shift & 255).to(torch.uint8) for shift in (12, 32, 52)]
    return torch.stack(channels, dim=1).view(images.shape)


def _rotation(levels: Tensor) -> Matrix:
    # In doubles and then rounded, so that libraries which differ in a last bit agree.
    angles = levels.double() * math.radians(30)
    cosine, sine = angles.cos().float(), angles.sin().float()
    return cosine, sine, 0.0, -sine, cosine, 0.0


# operation -> output (x, y), in [-1, 1], shows input (a x + b y + c, d x + e y + f)
MATRICES: dict[str, Callable[[Tensor], Matrix]] = {
    "rotate": _rotation,
    # 0.3, and 0.9 of half the side: AutoAugment's strengths, as in timm.
    "shear_x": lambda levels: (1.0, 0.3 * levels, 0.0, 0.0, 1.0, 0.0),
    "shear_y": lambda levels: (1.0, 0.0, 0.0, 0.3 * levels, 1.0, 0.0),
    "translate_x": lambda levels: (1.0, 0.0, 0.9 * levels, 0.0, 1.0, 0.0),
    "translate_y": lambda levels: (1.0, 0.0, 0.0, 0.0, 1.0, 0.9 * levels),
}

OPERATIONS: dict[str, Operation] = {
    "auto_contrast": _stretch,
    "equalize": _equalize,
    "invert": _invert,
    "rotate": _warp("rotate"),
    "posterize": _posterize,
    "solarize": _solarize,
    "solarize_add": _solarize_add,
    "color": _enhance(_blend_grey),
    "contrast": _enhance(_blend_mean),
    "brightness": _enhance(_blend_black),
    "sharpness": _enhance(_blend_smooth),
    **{name: _warp(name) for name in ("shear_x", "shear_y", "translate_x", "translate_y")},
}

# word of `data.augment`, off at null and 0 -> what it does to a batch, in this order
STEPS: dict[str, Callable[[Tensor, Sequence[str], Draws, Any], Tensor]] = {
    "rand_augment": rand_augment,
    "color_jitter": jitter_colors,
    "erasing": erase_boxes,
}
