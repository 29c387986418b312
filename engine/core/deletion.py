"""The deletion test of whole sets of images: takes who answers, images and maps by kind, gives curves and their areas.

Petsiuk et al. 2018 (RISE: randomized input sampling for explanation of black-box models): parts of an image are taken
away (deletion), or put into a bare one (insertion), those first that the map puts highest, and the probability of the
class that the network says of the whole image is followed; a good map has a small area under the first curve and a
large one under the second. Here the parts are the cells of a grid of 14 x 14 and go one fourteenth at a time. Taken
away is what gets the mean colour of the image; bare is the image blurred by a sixteenth of its side.

Two controls, on the same images: cells in an order of chance (an image has the same one in every network, and equal
cells of a map keep it, so that a flat map is chance itself), and the map of another image, which is as smooth, and
looks as much at the middle, as the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.core.curves import Answer, blurred

GRID = 14
STEPS = 14

Floats = NDArray[np.float64]
Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class OrderCurves:
    """Of each image the probability after each step, (N, STEPS + 1) float64."""

    deletion: Floats
    insertion: Floats

    def area(self, curve: str) -> Floats:
        """Return (N,): the areas under the curves `deletion` or `insertion`, from 0 to 1."""
        areas: Floats = np.trapezoid(getattr(self, curve), dx=1 / STEPS, axis=1)
        return areas


@dataclass(frozen=True)
class DeletionTest:
    """The curves of the controls and, by kind, those of the maps."""

    chance: OrderCurves
    own: Mapping[str, OrderCurves]
    others: Mapping[str, OrderCurves]

    def gain(self, kind: str, curve: str, control: str) -> Floats:
        """Return (N,): by how much a kind's `curve` is better than that of the control `chance` or `others`."""
        other = self.chance if control == "chance" else self.others[kind]
        sign = -1.0 if curve == "deletion" else 1.0
        return sign * (self.own[kind].area(curve) - other.area(curve))


def run_deletion(
    answer: Answer, images: Tensor, keys: Sequence[str], maps: Mapping[str, Tensor], watch: Watch
) -> DeletionTest:
    """Follow uint8 images (N, 3, S, S), known by `keys` (hexadecimal), under each kind's maps (N, H, W).

    `watch(done, N)` is called after each image.
    """
    count, side = len(images), images.shape[-1]
    grid = min(GRID, side)
    chance, own, others = list[Floats](), _by_kind(maps), _by_kind(maps)
    for place in range(count):
        shuffled = chance_order(keys[place], grid)
        probe = _Probe.of(answer, images[place], grid)
        chance.append(probe.follow(shuffled))
        for kind, values in maps.items():
            for kept, one in ((own, values[place]), (others, values[(place + 1) % count])):
                kept[kind].append(probe.follow(map_order(one, side, grid, shuffled)))
        watch(place + 1, count)
    return DeletionTest(_stacked(chance), *({kind: _stacked(kept[kind]) for kind in maps} for kept in (own, others)))


def _by_kind(maps: Mapping[str, Tensor]) -> dict[str, list[Floats]]:
    return {kind: [] for kind in maps}


def _stacked(curves: Sequence[Floats]) -> OrderCurves:
    both = np.stack(curves)
    return OrderCurves(both[:, 0], both[:, 1])


def chance_order(key: str, grid: int) -> Tensor:
    """Return the cells (grid * grid,) in the order that an image's key draws."""
    draw = torch.Generator().manual_seed(int(key[:12], 16))
    return torch.randperm(grid * grid, generator=draw)


def map_order(one: Tensor, side: int, grid: int, shuffled: Tensor) -> Tensor:
    """Return the cells, highest mean of the enlarged map (H, W) first; among equals as `shuffled` has them."""
    wide = F.interpolate(one[None, None].float(), size=(side, side), mode="bilinear", align_corners=False)
    cells = F.adaptive_avg_pool2d(wide, grid).flatten()
    return shuffled[cells[shuffled].argsort(descending=True, stable=True)]


def cell_masks(order: Tensor, side: int, grid: int) -> Tensor:
    """Return (STEPS + 1, S, S) bool: the pixels of the first cells of `order`, none at first and all in the end."""
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    counts = (torch.arange(STEPS + 1) * len(order) / STEPS).round()
    line = torch.arange(side) * grid // side
    return (rank.view(grid, grid)[line][:, line] < counts[:, None, None]).view(STEPS + 1, side, side)


@dataclass(frozen=True)
class _Probe:
    """One image, what it is made of where cells are gone, and the class that is followed."""

    answer: Answer
    whole: Tensor
    mean: Tensor
    bare: Tensor
    followed: int
    grid: int

    @classmethod
    def of(cls, answer: Answer, image: Tensor, grid: int) -> _Probe:
        whole = image.float()
        followed = int(answer(image[None]).argmax(1))
        return cls(answer, whole, whole.mean((1, 2), keepdim=True), blurred(image), followed, grid)

    def follow(self, order: Tensor) -> Floats:
        """Return (2, STEPS + 1): the deletion and the insertion curve of an order of cells."""
        masks = cell_masks(order, self.whole.shape[-1], self.grid)[:, None]
        shown = (torch.where(masks, self.mean, self.whole), torch.where(masks, self.whole, self.bare))
        curves = [self.answer(one.round().to(torch.uint8)).softmax(1)[:, self.followed] for one in shown]
        return torch.stack([curve.detach().double().cpu() for curve in curves]).numpy()
