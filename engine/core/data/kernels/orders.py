"""What each image of a batch goes through: takes keys and settings, gives arrays of numbers for the kernels.

Drawn on the host by the functions of augment.py and mixing.py, so that host and device are told the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from engine.core.data import augment as host
from engine.core.data.augment import Draws
from engine.core.data.kernels.parcel import Parcel
from engine.core.data.mixing import PairDraw
from engine.spec import Augment, parse_rand_augment

NUMBERS = 6  # of an operation at most: those of a matrix


class Change(IntEnum):
    """What the kernels can do; up to MEAN all that counts of a pixel is its level."""

    STAY = 0
    STRETCH = 1
    EQUALIZE = 2
    INVERT = 3
    POSTERIZE = 4
    SOLARIZE = 5
    ADD = 6
    BLACK = 7
    MEAN = 8
    GREY = 9
    SMOOTH = 10
    WARP = 11


@dataclass(frozen=True)
class ChangeOrder:
    """Places in a parcel: of each layer's operations and numbers, of factors, boxes with their noise."""

    layers: list[tuple[int, int]]
    factors: int | None
    boxes: int | None
    noise: int


@dataclass(frozen=True)
class MixOrder:
    """Places in a parcel: fp32 (B, 2) shares of the own and the partner's levels; int32 (B, 4) boxes."""

    shares: int
    boxes: int


def order_changes(parcel: Parcel, keys: Sequence[str], draw: Draws, augment: Augment, size: int) -> ChangeOrder:
    """Put what the images of `keys` drew into the parcel."""
    layers, factors, boxes, noise = [], None, None, -1
    if augment.rand_augment:
        settings = parse_rand_augment(augment.rand_augment)
        chosen = (host.draw_layer(keys, draw, settings, layer) for layer in range(settings.layers))
        layers = [_order_layer(parcel, one, len(keys), size) for one in chosen if one]
    if augment.color_jitter:
        factors = parcel.add(host.draw_factors(keys, draw, augment.color_jitter).numpy())
    if augment.erasing:
        erased, filling = host.draw_erasing(keys, draw, augment.erasing, size)
        if erased:
            boxes, noise = parcel.add(_erase_table(erased, len(keys))), parcel.add(filling)
    return ChangeOrder(layers, factors, boxes, noise)


def _order_layer(parcel: Parcel, chosen: dict[str, list[tuple[int, float]]], count: int, size: int) -> tuple[int, int]:
    kinds, numbers = np.zeros(count, dtype=np.int32), np.zeros((count, NUMBERS), dtype=np.float32)
    for name, members in chosen.items():
        places = [place for place, _ in members]
        levels = torch.tensor([level for _, level in members])
        kinds[places] = CHANGES[name].change
        asked = CHANGES[name].numbers(levels, size)
        numbers[places, : asked.shape[1]] = asked.numpy()
    return parcel.add(kinds), parcel.add(numbers)


def _erase_table(erased: dict[int, host.EraseBox], count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Return int32 (B, 5): top, left, height, width, first byte of the noise; a height of 0 where nothing is erased."""
    table, first = np.zeros((count, 5), dtype=np.int32), 0
    for place, (top, left, tall, wide) in erased.items():
        table[place] = top, left, tall, wide, first
        first += 3 * tall * wide
    return table


def order_mix(parcel: Parcel, drawn: Sequence[PairDraw], count: int) -> MixOrder:
    """Put what the pairs of `count` images drew into the parcel."""
    shares, boxes = np.ones((count, 2), dtype=np.float32), np.zeros((count, 4), dtype=np.int32)
    shares[:, 1] = 0.0
    for place, draw in enumerate(drawn):
        pair = slice(2 * place, 2 * place + 2)
        if draw.box is None:
            shares[pair] = draw.kept, 1 - draw.kept
        else:
            boxes[pair] = draw.box
    return MixOrder(parcel.add(shares), parcel.add(boxes))


@dataclass(frozen=True)
class Asked:
    """How the kernels do an operation of augment.py: `numbers` of levels (n,) and a size are fp32 (n, up to 6)."""

    change: Change
    numbers: Callable[[Tensor, int], Tensor]


def _one(numbers: Callable[[Tensor], Tensor]) -> Callable[[Tensor, int], Tensor]:
    return lambda levels, size: numbers(levels).float()[:, None]


def _matrix(name: str) -> Callable[[Tensor, int], Tensor]:
    return lambda levels, size: host.matrix_numbers(name, levels, size)


CHANGES: dict[str, Asked] = {
    "auto_contrast": Asked(Change.STRETCH, _one(torch.zeros_like)),
    "equalize": Asked(Change.EQUALIZE, _one(torch.zeros_like)),
    "invert": Asked(Change.INVERT, _one(torch.zeros_like)),
    "posterize": Asked(Change.POSTERIZE, _one(host.posterize_masks)),
    "solarize": Asked(Change.SOLARIZE, _one(host.solarize_bounds)),
    "solarize_add": Asked(Change.ADD, _one(host.solarize_raises)),
    "color": Asked(Change.GREY, _one(host.enhance_factors)),
    "contrast": Asked(Change.MEAN, _one(host.enhance_factors)),
    "brightness": Asked(Change.BLACK, _one(host.enhance_factors)),
    "sharpness": Asked(Change.SMOOTH, _one(host.enhance_factors)),
    **{name: Asked(Change.WARP, _matrix(name)) for name in host.MATRICES},
}
