"""Units that a graph tells: in families that nobody has written down taking them away equals zeroing them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.core.network import graph_units
from engine.core.network.build import build_network, build_pruned
from engine.core.network.graph_units import PACKAGE, cut_sizes, find_groups, sizes_of
from engine.core.network.units import by_unit, incoming, keep_units, list_layers, outgoing
from engine.core.network.widths import UnitWidths, read_widths
from tests.core.network.nets import drawn_timm, student
from tests.core.network.test_timm_units import net_of
from tests.core.network.test_units import apart, some_units

SIZE = 32
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "regnet": ("regnetx_002", {}),
    "densenet": ("densenet121", {"growth_rate": 8, "block_config": (2, 2)}),
    "vgg": ("repvgg_a0", {}),
}


@cache
def graph_net(family: str) -> nn.Module:
    name, options = FAMILIES[family]
    return drawn_timm(name, **options)


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
@settings(max_examples=2, deadline=None)
def test_whatever_units_go_it_equals_zeroing_them(family: str, data: st.DataObject) -> None:
    pytest.importorskip(PACKAGE)
    net = graph_net(family)
    layers = list_layers(net, image_size=SIZE)
    assert len(layers) >= 3
    x = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert apart(net, some_units(data, layers), x, SIZE) <= 1e-6


def test_a_unit_s_weights_are_its_own_where_an_axis_is_shared() -> None:
    """A dense block's layer reads the channels of all before it; those of one unit are few of its columns."""
    pytest.importorskip(PACKAGE)
    layers = list_layers(graph_net("densenet"), image_size=SIZE)
    shared = [(layer, part) for layer in layers for part in layer.of_side("in") if part.share < 1]
    assert shared
    layer, part = shared[0]
    place = int(part.places(torch.tensor([0]), layer.units)[0])
    assert torch.equal(by_unit(layer, part.weight, part)[0], part.weight[:, place].flatten())
    assert len(incoming(layer)) == len(outgoing(layer)) == layer.units


def test_without_the_package_there_is_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_units, "PACKAGE", "no_such_package")
    assert find_groups(graph_net("regnet"), SIZE) == []
    assert list_layers(graph_net("regnet"), image_size=SIZE) == []


def test_a_network_is_built_again_from_sizes_without_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    words = student("timm/regnetx_002")
    net = build_network(words, 10, SIZE)
    stem = dict(net.named_modules())["s1.b1.conv1.conv"]
    assert sizes_of(net, [stem]) == {"s1.b1.conv1.conv": tuple(stem.weight.shape)}
    monkeypatch.setattr(graph_units, "PACKAGE", "no_such_package")
    names = {"stem.conv": (16, 3, 3, 3), "stem.bn": (16,), "s1.b1.conv1.conv": (24, 16, 1, 1),
             "s1.b1.downsample.conv": (24, 16, 1, 1)}  # fmt: skip
    widths = read_widths(UnitWidths({}, names).to_json())
    again = build_pruned(words, 10, SIZE, widths)
    assert {name: tuple(value.shape) for name, value in again.state_dict().items()}["stem.conv.weight"] == (16, 3, 3, 3)
    with torch.inference_mode():
        assert again.eval()(torch.zeros(1, 3, SIZE, SIZE)).shape == (1, 10)


def test_a_module_does_not_grow() -> None:
    with pytest.raises(ValueError, match=r"stem.conv has 32 units, and 99 are to stay"):
        cut_sizes(build_network(student("timm/regnetx_002"), 10, SIZE), {"stem.conv": (99, 3, 3, 3)})


def test_what_is_written_down_asks_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> Any:
        raise AssertionError("the graph was asked")

    monkeypatch.setattr(graph_units, "_trace", asked)
    assert {layer.kind for layer in list_layers(net_of("resnet"), image_size=SIZE)} == {"mid"}


def test_tracing_leaves_a_network_as_it_was() -> None:
    pytest.importorskip(PACKAGE)
    net = build_network(student("timm/regnetx_002"), 10, SIZE).train()
    frozen = next(net.parameters()).requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    layers = list_layers(net, image_size=SIZE)
    assert net.training
    assert not frozen.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    keep_units(layers[0], torch.arange(layers[0].units - 1))
