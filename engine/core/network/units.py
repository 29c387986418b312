"""The units of a network that can be taken away: takes a module, gives its prunable layers; takes units out of one.

Units are inner widths, so that the residual stream keeps its size: inner channels of an inverted bottleneck, whole
attention heads (every projection set), hidden units of an MLP; and, where asked, channels of the stream itself. Taking
a unit away equals setting its outgoing weights to zero. What a layer is made of is known for a TinyViT here, for timm's
networks in timm_units.py, for streams in streams.py.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from engine.core.network.attention import LongformerAttention
from engine.core.network.graph_units import cut_sizes, find_groups
from engine.core.network.layers import MBConv, NormMlp
from engine.core.network.streams import list_streams
from engine.core.network.timm_units import find_timm_parts
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.unit_parts import Part, along, counts, inputs, keep_part, outputs, table
from engine.core.network.widths import UnitWidths
from engine.core.network.window import WindowAttention

Kind = Literal["mid", "heads", "hidden", "embedding", "group"]
SHARED: tuple[Kind, ...] = ("embedding", "group")
"""Kinds of units that have weights in common with those of other layers."""


@dataclass(frozen=True)
class Layer:
    """One prunable layer: `units` alike, each worth `cost` of what is counted.

    `name` is its module's; `stage` and `block` are those of a TinyViT, else 0 and its place among the layers. `curve`
    is what is saved by (drop, cost) where units are not worth the same: straight lines between them. A wide layer keeps
    a multiple of `round_to` units.
    """

    kind: Kind
    stage: int
    block: int
    module: nn.Module
    units: int
    cost: float = 0.0
    name: str = ""
    parts: tuple[Part, ...] = field(default=(), compare=False)
    curve: tuple[tuple[int, float], ...] = ()
    round_to: int = 8

    def worth(self, drop: int) -> float:
        """Return what so many units are worth together."""
        if not self.curve:
            return self.cost * drop
        place = min(max(1, bisect_left(self.curve, (drop, -math.inf))), len(self.curve) - 1)
        (low, less), (high, more) = self.curve[place - 1], self.curve[place]
        return less + (more - less) * (drop - low) / (high - low)

    def of_side(self, side: str) -> list[Part]:
        return [part for part in self.parts if part.side == side]


def list_layers(network: nn.Module, embedding: bool = False, image_size: int | None = None) -> list[Layer]:
    """Return the prunable layers, first block first, their costs yet to be counted; none where no unit is known.

    `embedding`: the streams too, after all blocks. Of a network of other blocks those that a graph couples, where it
    may look at images of `image_size`; streams are among them.
    """
    inner = list(_tiny_layers(network) if isinstance(network, TinyViT) else _timm_layers(network))
    if not inner and image_size is not None:
        return _graph_layers(network, image_size)
    return inner + (embedding_layers(network) if embedding else [])


def _graph_layers(network: nn.Module, image_size: int) -> list[Layer]:
    modules = dict(network.named_modules())
    return [
        Layer("group", 0, place, modules[name], units, 0.0, name, parts)
        for place, (name, units, parts) in enumerate(find_groups(network, image_size))
    ]


def embedding_layers(network: nn.Module) -> list[Layer]:
    """Return the streams whose channels can be taken away, as layers."""
    modules = dict(network.named_modules())
    return [
        Layer("embedding", 0, place, modules[stream.name], stream.units, 0.0, stream.name, tuple(stream.parts))
        for place, stream in enumerate(list_streams(network))
    ]


def _tiny_layers(network: TinyViT) -> Iterator[Layer]:
    for name, module in network.named_modules():
        found = _tiny_parts(module)
        if found is not None:
            kind, units, parts = found
            _, stage, _, block, *_ = name.split(".")
            yield Layer(kind, int(stage), int(block), module, units, 0.0, name, parts)


def _timm_layers(network: nn.Module) -> Iterator[Layer]:
    place = 0
    for name, module in network.named_modules():
        found = find_timm_parts(module)
        if found is not None:
            kind, units, parts = found
            yield Layer(kind, 0, place, module, units, 0.0, name, parts)
            place += 1


def _tiny_parts(module: nn.Module) -> tuple[Kind, int, tuple[Part, ...]] | None:
    if isinstance(module, MBConv):
        one, two, last = module.conv1, module.conv2, module.conv3
        parts = (outputs(one.conv), along(one.bn), along(two.conv), along(two.bn), inputs(last.conv))
        return "mid", two.conv.out_channels, parts
    if isinstance(module, NormMlp):
        return "hidden", module.fc1.out_features, (outputs(module.fc1), inputs(module.fc2))
    if isinstance(module, WindowAttention):
        return "heads", module.heads, tuple(_head_parts(module))
    return None


def _head_parts(module: WindowAttention) -> Iterator[Part]:
    """Rows [q | k | v] of one head lie together in a projection set; its columns in `proj` too."""
    for name in ("qkv", "qkv_global"):
        linear = getattr(module, name, None)
        if isinstance(linear, nn.Linear):
            yield outputs(linear, 3 * module.head_dim)
    yield inputs(module.proj, module.head_dim)
    yield table(module, "attention_biases")
    if isinstance(module, LongformerAttention) and hasattr(module, "attention_biases_global"):
        yield table(module, "attention_biases_global")
    yield counts(module, "heads")


def keep_units(layer: Layer, kept: Tensor) -> None:
    """Make the layer smaller, leaving only the units in `kept` (ascending indices)."""
    for part in layer.parts:
        keep_part(part, kept, layer.units)


def zero_units(layer: Layer, gone: Tensor) -> None:
    """Set the outgoing weights of units to zero: what taking them away must equal."""
    with torch.no_grad():
        for part in layer.of_side("in"):
            part.weight.index_fill_(1, part.places(gone, layer.units).to(part.weight.device), 0.0)


def unit_params(layer: Layer) -> int:
    """Return how many parameters go with one unit of a prunable layer."""
    held = sum(part.share * value.numel() for part in layer.parts for value in part.parameters)
    return round(held / layer.units)


def by_unit(layer: Layer, weight: Tensor, part: Part | None = None) -> Tensor:
    """View outgoing weights (out, units * d, ...) as (units, the rest); of a part of an axis those columns."""
    if part is not None and layer.kind == "group":
        weight = weight.index_select(1, part.places(torch.arange(layer.units, device=weight.device), layer.units))
    return weight.flatten(1).view(weight.shape[0], layer.units, -1).transpose(0, 1).flatten(1)


def incoming(layer: Layer) -> Tensor:
    """Return the weights of what makes a layer's units, as (units, the rest)."""
    if layer.kind in SHARED:  # a channel of a stream is the work of several layers
        return torch.cat([_rows(layer, part) for part in layer.of_side("out")], dim=1)
    part = layer.of_side("out")[0]
    rows = part.weight.flatten(1)
    if part.blocks == 1:
        return rows.reshape(layer.units, -1)
    return rows.view(part.blocks, layer.units, -1).transpose(0, 1).flatten(1)


def _rows(layer: Layer, part: Part) -> Tensor:
    places = part.places(torch.arange(layer.units, device=part.weight.device), layer.units)
    return part.weight.index_select(0, places).reshape(layer.units, -1)


def outgoing(layer: Layer) -> Tensor:
    """Return the weights of what reads a layer's units, as (units, the rest); of a bottleneck its last layer's."""
    parts = layer.of_side("in")
    return torch.cat([by_unit(layer, part.weight, part) for part in (parts if layer.kind in SHARED else parts[:1])], 1)


def cut_to(network: nn.Module, widths: UnitWidths) -> None:
    """Make a network's layers as narrow as `widths` says; which units stay means nothing. Raises KeyError, ValueError.

    The names are those of `list_layers`.
    """
    cut_sizes(network, widths.sizes)
    known = {layer.name: layer for layer in list_layers(network, embedding=True)}
    for name, units in widths.units.items():
        layer = known[name]
        if not 0 < units <= layer.units:
            raise ValueError(f"{name} has {layer.units} units, and {units} are to stay")
        keep_units(layer, torch.arange(units))


def unit_widths(layers: Sequence[Layer], drops: Sequence[int]) -> UnitWidths:
    """Return the widths of layers that each give up some units."""
    return UnitWidths({layer.name: layer.units - drop for layer, drop in zip(layers, drops, strict=True)})
