"""How many units each layer gives up: takes layers and an asked share, gives drops that meet it, or refuses.

Heads are few and costly: each layer gives the whole heads that fit in the asked share and keeps at least one; the
narrower units make up the rest. What an even share of all layers leaves is made up layer by layer. What goes is the sum
over the layers, unless the caller says otherwise: weights between two layers that both get narrower go but once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from engine.core.network.units import Layer
from engine.errors import JobError

WIDE, COARSEST = 128, 4
"""A layer of so many units, and of so many times its `round_to`, keeps a multiple of that: odd widths save parameters
and no time."""
STEPS = 2048
MET = 0.01
"""A share is met within a point, or refused."""
Drops = list[int]
Cost = Callable[[Sequence[int]], float]


def plan_drops(layers: Sequence[Layer], ratio: float, total: float, cost: Cost | None = None) -> Drops:
    """Return how many units each layer gives up so that their cost is `ratio` of `total`, alike in all layers.

    Raises JobError, naming the most that can go, or the nearest shares, where it is not met within a point.
    """
    return _nearest(
        layers, ratio, total, lambda share, heads: _drops_at(layers, share, heads), cost or partial(cost_of, layers)
    )


def rank_drops(
    layers: Sequence[Layer], scores: Sequence[Tensor], ratio: float, total: float, cost: Cost | None = None
) -> Drops:
    """Return the same where the units of one kind are ranked over all layers; the lowest scores go first.

    No layer loses more of its units than half of what an even share would leave it. Raises JobError as `plan_drops`.
    """
    order = {kind: _ranked(layers, scores, kind) for kind in dict.fromkeys(layer.kind for layer in layers)}

    def at(share: float, heads: float) -> Drops:
        shares = {kind: heads if kind == "heads" else share for kind in order}
        gone = [owners[: round(shares[kind] * len(owners))] for kind, owners in order.items()]
        found = torch.bincount(torch.cat(gone), minlength=len(layers)).tolist()
        return [_capped(layer, drop, shares[layer.kind]) for layer, drop in zip(layers, found, strict=True)]

    return _nearest(layers, ratio, total, at, cost or partial(cost_of, layers))


def _ranked(layers: Sequence[Layer], scores: Sequence[Tensor], kind: str) -> Tensor:
    """Return the layer of each unit of a kind, the unit with the lowest score first."""
    chosen = [place for place, layer in enumerate(layers) if layer.kind == kind]
    owners = torch.cat([torch.full((layers[place].units,), place) for place in chosen])
    return owners[torch.cat([scores[place].cpu().double() for place in chosen]).sort(stable=True).indices]


def _capped(layer: Layer, drop: int, share: float) -> int:
    """A layer that a ranking would empty is no layer any more."""
    most = math.floor(layer.units * (1 + share) / 2)
    return _rounded(layer, min(drop, most))


def _nearest(
    layers: Sequence[Layer], ratio: float, total: float, at: Callable[[float, float], Drops], cost: Cost
) -> Drops:
    wanted = ratio * total
    plans = [at(step / STEPS, ratio) for step in range(STEPS)]
    costs = [cost(drops) for drops in plans]
    best = min(range(len(plans)), key=lambda index: abs(costs[index] - wanted))
    # More than two points short: then heads give the same share as the rest.
    if costs[best] < wanted - 2 * MET * total:
        plans = [at(step / STEPS, step / STEPS) for step in range(STEPS + 1)]
        best = min(range(len(plans)), key=lambda index: abs(cost(plans[index]) - wanted))
    drops = plans[best]
    if abs(cost(drops) - wanted) > MET * total:
        drops = _make_up(layers, drops, wanted, cost)
    _require_met(layers, drops, ratio, total, cost)
    return drops


def _make_up(layers: Sequence[Layer], drops: Drops, wanted: float, cost: Cost) -> Drops:
    """Return drops that come nearer, one step of one layer at a time, as long as any does."""
    drops = list(drops)
    for _ in range(8 * len(layers)):
        moves = [
            (abs(cost(_moved(drops, place, change)) - wanted), place, change)
            for place, layer in enumerate(layers)
            for change in _changes(layer, drops[place])
        ]
        if not moves or min(moves)[0] >= abs(cost(drops) - wanted):
            return drops
        _, place, change = min(moves)
        drops[place] += change
    return drops


def _moved(drops: Drops, place: int, change: int) -> Drops:
    return [*drops[:place], drops[place] + change, *drops[place + 1 :]]


def _changes(layer: Layer, drop: int) -> list[int]:
    step = _step(layer)
    can = [step] if layer.units - drop - step >= step else []
    return can + ([-step] if drop >= step else [])


def _require_met(layers: Sequence[Layer], drops: Drops, ratio: float, total: float, cost: Cost) -> None:
    reached = cost(drops) / total
    if abs(reached - ratio) <= MET:
        return
    most = cost([drop_at(layer, 1.0) for layer in layers]) / total
    if most < ratio:
        fix = f"ask for at most {math.floor(most * 100) / 100}" if most >= MET else "leave prune away here"
        raise JobError(f"prune.ratio {ratio}: only {most:.0%} lies in units that can go", fix=fix)
    what = f"prune.ratio {ratio}: whole units come no nearer than {reached:.1%}"
    raise JobError(what, fix=f"ask for {reached:.3f}")


def _drops_at(layers: Sequence[Layer], share: float, head_share: float) -> Drops:
    return [drop_at(layer, head_share if layer.kind == "heads" else share) for layer in layers]


def drop_at(layer: Layer, share: float) -> int:
    """Return how many units are about that share of a layer, so that the width left is one that it may have."""
    if layer.kind == "heads":
        # 0.29 * 100 is a hair below 29 in binary.
        return min(math.floor(share * layer.units + 1e-9), layer.units - 1)
    step = _step(layer)
    keep = max(step, round(layer.units * (1 - share) / step) * step)
    return layer.units - min(keep, layer.units)


def _rounded(layer: Layer, drop: int) -> int:
    """Return the nearest drop that leaves a width that the layer may have."""
    step = _step(layer)
    keep = max(step, round((layer.units - drop) / step) * step)
    return layer.units - min(keep, layer.units)


def _step(layer: Layer) -> int:
    is_wide = layer.kind != "heads" and layer.units >= max(WIDE, COARSEST * layer.round_to)
    return layer.round_to if is_wide else 1


def cost_of(layers: Sequence[Layer], drops: Sequence[int]) -> float:
    return sum(layer.worth(drop) for layer, drop in zip(layers, drops, strict=True))
