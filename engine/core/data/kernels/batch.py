"""A batch by the kernels: takes what the host drew of it, gives it on the device, mixed; one copy, no wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.core.data.augment import Draws
from engine.core.data.kernels.change import change_ordered
from engine.core.data.kernels.mix import mix_ordered
from engine.core.data.kernels.orders import ChangeOrder, MixOrder, order_changes, order_mix
from engine.core.data.kernels.parcel import Packed, Parcel
from engine.core.data.kernels.resize import BoxOrder, order_boxes, resize_ordered
from engine.core.data.mixing import PairDraw
from engine.core.data.resample import Cut
from engine.spec import Augment


@dataclass(frozen=True)
class CutOrder:
    """What is cut on the device, and the places in a parcel of what the host rendered and of who is who."""

    boxes: BoxOrder | None
    large: int
    small: int
    pixels: int | None


@dataclass(frozen=True)
class BatchOrder:
    """All that the device is told of a batch, ready to be sent."""

    packed: Packed
    cut: CutOrder | None
    changes: ChangeOrder | None
    mix: MixOrder | None


@dataclass(frozen=True)
class Wishes:
    """What is wanted of a batch beyond its pixels: how it is augmented, and what its pairs drew."""

    keys: Sequence[str]
    draw: Draws
    augment: Augment
    pairs: Sequence[PairDraw] | None


def order_batch(cut: Cut | None, wishes: Wishes | None, size: int, device: torch.device) -> BatchOrder:
    """Return the order of a batch cut from images on the device, or of one that the host renders."""
    parcel = Parcel()
    changes, mix = None, None
    if wishes is not None:
        changes = order_changes(parcel, wishes.keys, wishes.draw, wishes.augment, size)
        mix = None if wishes.pairs is None else order_mix(parcel, wishes.pairs, len(wishes.keys))
    placed = None if cut is None else _order_cut(parcel, cut)
    return BatchOrder(parcel.pack(device), placed, changes, mix)


def _order_cut(parcel: Parcel, cut: Cut) -> CutOrder:
    boxes = order_boxes(parcel, cut.lines, cut.flips, cut.size, cut.kind) if cut.lines else None
    large, small = (parcel.add(np.array(places, dtype=np.int64)) for places in (cut.large, cut.small))
    return CutOrder(boxes, large, small, None if cut.pixels is None else parcel.add(cut.pixels.numpy()))


def make_batch(order: BatchOrder, source: Tensor) -> Tensor:
    """Return the batch's images, uint8 (B, 3, S, S), of `source`: the flat memory of all images, or those rendered."""
    arrays = order.packed.send(source.device)
    images = source if order.cut is None else _show_cut(order.cut, source, arrays)
    if order.changes is not None:
        images = change_ordered(images, order.changes, arrays)
    return images if order.mix is None else mix_ordered(images, order.mix, arrays)


def _show_cut(cut: CutOrder, flat: Tensor, arrays: Sequence[Tensor]) -> Tensor:
    if cut.boxes is None:
        assert cut.pixels is not None
        return arrays[cut.pixels]
    large = resize_ordered(flat, cut.boxes, arrays)
    if cut.pixels is None:
        return large
    small = arrays[cut.pixels]
    images = large.new_empty((len(large) + len(small), *large.shape[1:]))
    images[arrays[cut.large]] = large
    images[arrays[cut.small]] = small
    return images
