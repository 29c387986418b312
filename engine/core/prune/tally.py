"""What goes with units of many layers: takes prunable layers, gives a count of what drops in all of them take away.

Inner widths share no weight, so that each unit's cost is its own. A stream's channels share weights with the layers
between two streams: of a weight (out, in) that loses shares a and b there stays (1 - a)(1 - b). An axis may be that of
several layers, where a network concatenates their channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod

from torch import nn

from engine.core.measure import count_macs_by_module
from engine.core.network.unit_parts import Part
from engine.core.network.units import SHARED, Layer
from engine.core.prune.shares import Cost, cost_of

Axes = dict[int, list[tuple[int, float]]]


@dataclass
class Term:
    """Something counted; by axis, the layers whose drops make it smaller, by place, with their share of the axis."""

    size: float
    axes: Axes = field(default_factory=dict)


def make_cost(network: nn.Module, layers: Sequence[Layer], of: str, image_size: int) -> Cost:
    """Return what drops take away of `of` (params, macs or units); `layers` hold each unit's cost in it."""
    if of == "units" or not any(layer.kind in SHARED for layer in layers):
        return partial(cost_of, layers)
    macs = count_macs_by_module(network, image_size) if of == "macs" else None
    names = {module: name for name, module in network.named_modules()}
    terms: dict[str, Term] = {}
    for place, layer in enumerate(layers):
        for key, size, axis, share in _counted(layer, names, macs):
            terms.setdefault(key, Term(size)).axes.setdefault(axis, []).append((place, share))
    return partial(_cost, [layer.units for layer in layers], list(terms.values()))


def _counted(
    layer: Layer, names: Mapping[nn.Module, str], macs: Mapping[str, int] | None
) -> Iterable[tuple[str, float, int, float]]:
    """Yield what a layer's units are part of: its name, its whole size, along which axis, how much of that."""
    if layer.kind in ("heads", "hidden"):  # nothing else of these gets narrower
        yield layer.name, layer.cost * layer.units, 0, 1.0
        return
    for part in (part for part in layer.parts if part.slots):
        name = names[part.module]
        if macs is not None:
            yield name, macs_of(name, macs), part.slots[0][1], part.share
            continue
        yield from ((f"{name}.{slot}", size, axis, part.share) for slot, size, axis in _sizes(part))


def macs_of(name: str, macs: Mapping[str, int]) -> int:
    """Return a layer's multiply-adds; a TinyViT's convolutions are counted together with the norms that follow them."""
    return macs.get(name, macs.get(name.removesuffix(".conv"), 0) if name.endswith(".conv") else 0)


def _sizes(part: Part) -> Iterable[tuple[str, float, int]]:
    for slot, axis in part.slots:
        value = getattr(part.module, slot)
        if isinstance(value, nn.Parameter):
            yield slot, value.numel(), axis


def _cost(units: Sequence[int], terms: Sequence[Term], drops: Sequence[int]) -> float:
    gone = [drop / count for drop, count in zip(drops, units, strict=True)]
    return sum(term.size * (1 - prod(_left(axis, gone) for axis in term.axes.values())) for term in terms)


def _left(axis: Sequence[tuple[int, float]], gone: Sequence[float]) -> float:
    return 1 - sum(share * gone[place] for place, share in axis)
