"""Units of timm's networks: in each family taking them away equals setting what they give on to zero."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import timm
import timm.layers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.core.network.timm_units import FINDERS, find_timm_parts
from engine.core.network.units import list_layers
from tests.core.network.nets import drawn_timm
from tests.core.network.test_units import apart, some_units

VIT: dict[str, Any] = {"img_size": 32, "patch_size": 8, "depth": 2, "embed_dim": 48, "num_heads": 3}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("vit_tiny_patch16_224", VIT),
    "deit": ("deit_tiny_distilled_patch16_224", VIT),
    "gated": ("vit_tiny_patch16_224", {**VIT, "mlp_layer": timm.layers.SwiGLUPacked}),
    "swiglu": ("vit_tiny_patch16_224", {**VIT, "mlp_layer": timm.layers.SwiGLU}),
    "mobilenetv2": ("mobilenetv2_035", {}),
    "mobilenetv3": ("mobilenetv3_small_050", {}),
    "mobilenetv4": ("mobilenetv4_conv_small_035", {}),
    "efficientnet": ("efficientnet_lite0", {}),
    "edge": ("tf_efficientnetv2_b0", {"channel_multiplier": 0.25}),
    "convnext": ("convnext_atto", {"depths": [1, 1, 1, 1], "dims": [8, 16, 24, 32]}),
    "conv_mlp": ("convnext_atto", {"depths": [1, 1, 1, 1], "dims": [8, 16, 24, 32], "conv_mlp": True}),
    "resnet": ("resnet10t", {}),
    "bottleneck": ("resnet26", {"base_width": 16}),
}
KINDS = {"vit": {"heads", "hidden"}, "convnext": {"hidden"}}
STREAMS = {"mobilenetv2", "mobilenetv3", "mobilenetv4", "efficientnet", "edge", "resnet", "bottleneck"}


@cache
def net_of(family: str) -> nn.Module:
    name, options = FAMILIES[family]
    return drawn_timm(name, **options)


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
@settings(max_examples=2, deadline=None)
def test_whatever_units_go_it_equals_zeroing_them(family: str, data: st.DataObject) -> None:
    net = net_of(family)
    layers = list_layers(net, True)
    wanted = {"mid", "embedding"} if family in STREAMS else KINDS.get(family, set())
    assert {layer.kind for layer in layers} >= wanted, "units of each kind are found"
    assert len(layers) >= 2
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert apart(net, some_units(data, layers), x) <= 1e-6


def test_every_kind_of_block_is_tried() -> None:
    seen = {type(layer.module) for family in FAMILIES for layer in list_layers(net_of(family))}
    assert seen >= set(FINDERS)


@pytest.mark.parametrize(
    "module",
    [
        timm.layers.GlobalResponseNormMlp(8, 16),
        timm.layers.Mlp(8, 16, norm_layer=nn.LayerNorm),
        timm.layers.GluMlp(8, 16, norm_layer=nn.LayerNorm),
        timm.layers.SwiGLU(8, 16, norm_layer=nn.LayerNorm),
        timm.layers.Attention(8, 2, scale_norm=True, norm_layer=nn.LayerNorm),
        nn.Linear(8, 8),
    ],
    ids=lambda module: type(module).__name__,
)
def test_what_mixes_units_is_left_alone(module: nn.Module) -> None:
    assert find_timm_parts(module) is None
