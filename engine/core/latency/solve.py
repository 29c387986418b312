"""Widths at which a share of the latency is gone: takes a network and a way to time pieces, gives what layers keep.

Units of a layer are not worth the same: a width that the kernels like costs less than a narrower one that they do not.
So each layer is timed at some of its widths, straight lines between them say what any other takes, and what the whole
takes at the widths that come out is summed from its own pieces again; where that is not within a point, each layer has
one width more, and is asked again. The factor of a table is in both, whole and pruned, and falls out of a share.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from engine.core.latency.pieces import Pieces, all_pieces, record_pass
from engine.core.latency.predict import sum_pieces
from engine.core.latency.table import Times
from engine.core.network.units import Layer, keep_units, list_layers
from engine.core.prune.shares import MET, Drops, drop_at, plan_drops
from engine.errors import JobError

WIDTHS = 8
"""Into so many steps the units of a layer are parted, at whose ends it is timed."""
TRIES = 5
Timer = Callable[[Iterable[str]], Times]
"""Gives times that hold all of the pieces."""


@dataclass(frozen=True)
class Pass:
    """How a network is called when it is timed."""

    image_size: int
    batch_size: int = 1
    precision: str = "fp32"


@dataclass(frozen=True)
class Solved:
    """How many units each layer gives up, the share of the latency that is then gone, and the pieces of both."""

    drops: Drops
    share: float
    whole: Pieces
    left: Pieces


def solve_drops(network: nn.Module, layers: Sequence[Layer], ratio: float, how: Pass, timer: Timer) -> Solved:
    """Return the drops of `layers` with which a pass takes 1 - `ratio` of its seconds, alike in all layers.

    Raises JobError, naming the most that can go, or the nearest share, where that is not met within a point.
    """
    grid = _grid(layers)
    passes = [_record(network, drops, how) for drops in grid]
    times = dict(timer({piece for one in passes for piece in all_pieces(one)}).pieces)
    whole = all_pieces(passes[0])
    total = sum_pieces(whole, times)
    points = [_points(layer, grid, passes, times, place) for place, layer in enumerate(layers)]
    tried: list[Solved] = []
    for _ in range(TRIES):
        curved = [replace(layer, curve=tuple(sorted(at.items()))) for layer, at in zip(layers, points, strict=True)]
        drops = plan_drops(curved, ratio, total)
        found = _record(network, drops, how)
        times |= timer(all_pieces(found)).pieces
        left = all_pieces(found)
        tried.append(Solved(drops, 1 - sum_pieces(left, times) / total, whole, left))
        if abs(tried[-1].share - ratio) <= MET:
            return tried[-1]
        for layer, at, drop in zip(layers, points, drops, strict=True):
            at[drop] = _cost(passes[0], layer, times) - _cost(found, layer, times)
    nearest = min(tried, key=lambda one: abs(one.share - ratio)).share
    raise JobError(f"prune.ratio {ratio}: whole units come no nearer than {nearest:.1%}", fix=f"ask for {nearest:.3f}")


def _grid(layers: Sequence[Layer]) -> list[Drops]:
    """Return drops at which all layers are timed, none first; those of heads are whole heads."""
    return [[drop_at(layer, step / WIDTHS) for layer in layers] for step in range(WIDTHS + 1)]


def _points(
    layer: Layer, grid: Sequence[Drops], passes: Sequence[Mapping[str, Pieces]], times: Mapping[str, float], place: int
) -> dict[int, float]:
    """Return the seconds that a layer saves by its drop."""
    whole = _cost(passes[0], layer, times)
    saved = {drops[place]: whole - _cost(one, layer, times) for drops, one in zip(grid, passes, strict=True)}
    return saved if len(saved) > 1 else {**saved, 1: 0.0}  # a single unit stays, whatever it is worth


def _cost(recorded: Mapping[str, Pieces], layer: Layer, times: Mapping[str, float]) -> float:
    return sum_pieces(recorded[layer.name], times)


def _record(network: nn.Module, drops: Drops, how: Pass) -> dict[str, Pieces]:
    """Return the pieces of the network with narrower layers, those of each layer apart."""
    smaller = copy.deepcopy(network).cpu()
    layers = list_layers(smaller)
    for layer, drop in zip(layers, drops, strict=True):
        if drop:
            keep_units(layer, torch.arange(layer.units - drop))
    owners = {layer.name: layer.module for layer in layers}
    return record_pass(smaller, how.image_size, how.batch_size, how.precision, owners)
