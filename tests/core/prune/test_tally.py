"""What goes with units of many layers is what the network has less."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.measure import count_macs, count_params
from engine.core.network.build import build_network
from engine.core.network.units import keep_units
from engine.core.prune.structured import find_layers
from engine.core.prune.tally import make_cost
from tests.core.network.nets import student


@pytest.mark.parametrize(("arch", "of"), [("tiny_vit", "macs"), ("timm/mobilenetv3_small_050", "params")])
@given(data=st.data())
@settings(max_examples=2, deadline=None)
def test_drops_in_all_layers_take_away_what_they_say(arch: str, of: Any, data: st.DataObject) -> None:
    size = 56 if arch == "tiny_vit" else 32
    net = build_network(student(arch), 10, size)
    layers = find_layers(net, of, size, True)
    cost = make_cost(net, layers, of, size)
    drops = [data.draw(st.integers(0, layer.units - 1)) for layer in layers]
    before = count_params(net) if of == "params" else count_macs(net, size)
    for layer, drop in zip(layers, drops, strict=True):
        keep_units(layer, torch.arange(drop, layer.units))
    after = count_params(net) if of == "params" else count_macs(net, size)
    assert cost(drops) == pytest.approx(before - after, rel=2e-3)
