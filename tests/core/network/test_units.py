"""Units of a TinyViT: whichever of them go, taking them away equals setting what they give on to zero."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.core.measure import count_params
from engine.core.network.build import build_network, build_pruned
from engine.core.network.units import (
    Layer,
    by_unit,
    cut_to,
    incoming,
    keep_units,
    list_layers,
    unit_params,
    unit_widths,
    zero_units,
)
from engine.core.network.widths import UnitWidths, read_widths
from tests.core.network.nets import network, student

ATTENTIONS: dict[str, dict[str, Any] | None] = {
    "window": None, "dual": {"bias": "separate"}, "shared": {"projections": "shared"}, "block": {"pattern": "block"},
    "row": {"pattern": "row", "bias": "none"}, "pooled": {"select": "pooled"}, "learned": {"select": "learned"},
}  # fmt: skip


@cache
def net_of(attention: str) -> nn.Module:
    return network(56, ATTENTIONS[attention]).eval()


def images() -> Tensor:
    return torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def apart(net: nn.Module, gone: dict[str, list[int]], x: Tensor, size: int | None = None) -> float:
    """Return how far the answers of a network with units at zero are from those of one without them."""
    zeroed, smaller = copy.deepcopy(net), copy.deepcopy(net)
    for one, other in zip(*(list_layers(net, True, size) for net in (zeroed, smaller)), strict=True):
        away = gone.get(one.name, [])
        zero_units(one, torch.tensor(away, dtype=torch.long))
        keep_units(other, torch.tensor([unit for unit in range(one.units) if unit not in away]))
    with torch.inference_mode():
        return float((zeroed(x) - smaller(x)).abs().max())


def some_units(data: st.DataObject, layers: list[Layer]) -> dict[str, list[int]]:
    """Draw, for each layer, units that go: all but one at most."""
    draw = {layer.name: st.sets(st.integers(0, layer.units - 1), max_size=layer.units - 1) for layer in layers}
    return {name: sorted(data.draw(units)) for name, units in draw.items()}


@pytest.mark.parametrize("attention", ATTENTIONS)
@given(data=st.data())
@settings(max_examples=4, deadline=None)
def test_whatever_units_go_it_equals_zeroing_them(attention: str, data: st.DataObject) -> None:
    net = net_of(attention)
    assert apart(net, some_units(data, list_layers(net, True)), images()) <= 1e-10


def test_each_kind_of_unit_is_among_them() -> None:
    kinds = {"mid", "heads", "hidden", "embedding"}
    assert {layer.kind for layer in list_layers(net_of("dual"), True) if layer.units > 1} == kinds
    heads = next(layer for layer in list_layers(net_of("dual")) if layer.kind == "heads")
    assert len(heads.of_side("out")) == 2, "both projection sets"


def test_a_wrong_removal_is_seen() -> None:
    """What the test above would say if other units had gone."""
    net = net_of("window")
    layer = next(layer for layer in list_layers(net) if layer.kind == "hidden")
    zeroed, smaller = copy.deepcopy(net), copy.deepcopy(net)
    zero_units(next(one for one in list_layers(zeroed) if one.name == layer.name), torch.tensor([0]))
    other = next(one for one in list_layers(smaller) if one.name == layer.name)
    keep_units(other, torch.arange(layer.units - 1))
    with torch.inference_mode():
        assert float((zeroed(images()) - smaller(images())).abs().max()) > 1e-6


@pytest.mark.parametrize("attention", ["window", "dual"])
def test_every_unit_costs_what_its_going_saves(attention: str) -> None:
    for name in [layer.name for layer in list_layers(net_of(attention)) if layer.units > 1]:
        net = copy.deepcopy(net_of(attention))
        layer = next(layer for layer in list_layers(net) if layer.name == name)
        before, cost = count_params(net), unit_params(layer)
        keep_units(layer, torch.arange(1, layer.units))
        assert before - count_params(net) == cost


def test_weights_are_seen_unit_by_unit() -> None:
    layer = next(layer for layer in list_layers(net_of("window")) if layer.kind == "heads" and layer.units > 1)
    module: Any = layer.module
    wide = module.head_dim
    assert torch.equal(incoming(layer)[1], module.qkv.weight[3 * wide : 6 * wide].flatten())
    assert torch.equal(by_unit(layer, module.proj.weight)[1], module.proj.weight[:, wide : 2 * wide].flatten())


def test_widths_of_a_stream_are_built_again() -> None:
    net = network(56)
    layers = list_layers(net, True)
    keep_units(layers[-1], torch.arange(1, 10))
    net.widths = replace(net.widths, stem=9)
    again = build_pruned(student(), 10, 56, read_widths(net.widths.to_json())).double()
    again.load_state_dict(net.state_dict())
    with torch.inference_mode():
        assert torch.equal(again.eval()(images()), net.eval()(images()))


def test_a_timm_network_is_built_again_from_its_widths() -> None:
    words = student("timm/mobilenetv3_small_050")
    net = build_network(words, 10, 64)
    layers = list_layers(net)
    drops = [layer.units // 4 for layer in layers]
    for layer, drop in zip(layers, drops, strict=True):
        keep_units(layer, torch.arange(drop, layer.units))
    widths = read_widths(unit_widths(layers, drops).to_json())
    assert isinstance(widths, UnitWidths)
    again = build_pruned(words, 10, 64, widths)
    again.load_state_dict(net.state_dict())
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(again.eval()(x), net.eval()(x))


def test_a_layer_does_not_grow() -> None:
    net = build_network(student("timm/mobilenetv3_small_050"), 10, 64)
    name = list_layers(net)[0].name
    with pytest.raises(ValueError, match="units, and 9999 are to stay"):
        cut_to(net, UnitWidths({name: 9999}))
