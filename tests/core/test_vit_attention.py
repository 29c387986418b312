"""The attention of timm's transformers, read from outside: equal to what the network itself multiplies values with."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from engine.core.explain import MapUndefined
from engine.core.vit_attention import is_plain, vit_received, vit_weights

SMALL = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 5}


def vit(**options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    network: torch.nn.Module = timm.create_model("vit_tiny_patch16_224", **{**SMALL, **options}).eval()
    return network


def images() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("options", [{}, {"qk_norm": True}, {"class_token": False, "global_pool": "avg"}])
def test_weights_are_those_that_the_network_multiplies_values_with(options: dict[str, Any]) -> None:
    network: Any = vit(**options)
    known: list[torch.Tensor] = []
    for block in network.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _, __, out: known.append(out))
    shown = vit_weights(network, images())
    for one, other in zip(shown, known, strict=True):
        torch.testing.assert_close(one.float(), other)


def test_a_map_is_the_column_mean_over_the_patches() -> None:
    maps = vit_received(vit(), images())
    column = vit_weights(vit(), images())[-1].mean((1, 2))[:, 1:]
    torch.testing.assert_close(maps.values.flatten(1), (column / column.sum(1, keepdim=True)).float())
    assert maps.layer == "blocks.1"


def test_another_family_is_told_by_name() -> None:
    network = timm.create_model("mobilenetv3_small_050", num_classes=5)
    assert not is_plain(network)
    with pytest.raises(MapUndefined, match="MobileNetV3"):
        vit_weights(network, images())
