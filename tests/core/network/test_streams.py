"""Streams: channels that batch norms alone lie on are found, and where a layer norm lies none is offered."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from torch import nn

from engine.core.network.streams import SIDES, list_streams
from engine.core.network.unit_parts import inputs, keep_part, outputs
from tests.core.network.nets import network
from tests.core.network.test_timm_units import STREAMS, net_of


@pytest.mark.parametrize("family", ["vit", "convnext", "conv_mlp"])
def test_under_a_layer_norm_no_channel_is_offered(family: str) -> None:
    assert list_streams(net_of(family)) == []


def test_under_a_layer_norm_zeroing_a_channel_is_not_taking_it_away() -> None:
    """Why none is offered: mean and variance are over all channels, zeros among them."""
    net: Any = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 3)).double().eval()
    zeroed, smaller = copy.deepcopy(net), copy.deepcopy(net)
    kept = torch.arange(1, 8)
    with torch.inference_mode():
        for part in (zeroed[0].weight[0], zeroed[0].bias[:1], zeroed[2].weight[:, 0]):
            part.zero_()
    keep_part(outputs(smaller[0]), kept, 8)
    smaller[1] = nn.LayerNorm(7).double()
    keep_part(inputs(smaller[2]), kept, 8)
    x = torch.randn(2, 4, dtype=torch.float64)
    with torch.inference_mode():
        assert float((zeroed(x) - smaller(x)).abs().max()) > 1e-3


def test_a_tiny_vit_has_that_of_its_first_stage() -> None:
    (stream,) = list_streams(network(56))
    assert (stream.name, stream.units) == ("patch_embed.conv2.conv", 16)


def test_a_stream_goes_on_through_blocks_that_add_to_it() -> None:
    streams = {stream.name: stream.units for stream in list_streams(net_of("bottleneck"))}
    assert streams == {
        "conv1": 64, "layer1.0.conv3": 256, "layer2.0.conv3": 512, "layer3.0.conv3": 1024, "layer4.0.conv3": 2048
    }  # fmt: skip


def test_every_kind_of_block_is_tried() -> None:
    seen = {type(module) for family in STREAMS for module in net_of(family).modules()}
    assert seen >= set(SIDES)


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet10t", {"block_args": {"attn_layer": "se"}}), ("resnet26", {"block_args": {"attn_layer": "eca"}})],
)
def test_a_stream_with_a_block_that_is_not_known_is_left_alone(name: str, options: dict[str, Any]) -> None:
    assert list_streams(timm.create_model(name, **options)) == []
