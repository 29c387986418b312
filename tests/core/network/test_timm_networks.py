"""The networks that papers compare with come through timm: each takes our class count and image size, and trains."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from engine.core.network.build import build_network, normalization
from engine.errors import DataError, JobError, XpError
from tests.core.network.nets import student

CONVNEXTS = ("atto", "femto", "pico", "nano", "tiny", "small", "base", "large", "huge")
THIN: dict[str, Any] = {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]}
PEERS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("mobilenetv2_100", 64, {}),
    ("mobilenetv3_large_100", 64, {}),
    ("mobilenetv4_conv_small", 64, {}),
    ("mobilenetv4_conv_medium", 64, {}),
    ("vit_tiny_patch16_224", 64, {}),
    ("vit_small_patch16_224", 64, {"depth": 1}),
    ("vit_base_patch16_224", 64, {"depth": 1}),
    ("vit_base_patch16_clip_224.openai", 64, {"depth": 1}),
    ("vit_large_patch14_clip_224.openai_ft_in12k_in1k", 56, {"depth": 1}),
    ("efficientvit_m2", 224, {}),
    ("mobilevit_xxs", 64, {}),
    ("mobilevitv2_050", 64, {}),
    *((f"convnextv2_{size}", 64, THIN) for size in CONVNEXTS),
)


@pytest.mark.parametrize(("name", "size", "options"), PEERS, ids=[name for name, _, _ in PEERS])
def test_a_peer_adapts_to_classes_and_image_size(name: str, size: int, options: dict[str, Any]) -> None:
    network = build_network(student(f"timm/{name}", options=options), 7, size)
    logits = network(torch.randn(2, 3, size, size))
    assert logits.shape == (2, 7)
    logits.sum().backward()
    mean, std = normalization(network)
    assert len(mean) == len(std) == 3


def test_all_full_sizes_are_known_to_timm() -> None:
    for name, _, _ in PEERS:
        assert timm.is_model(name.split(".")[0])


def test_options_reach_the_network_and_wrong_ones_are_refused() -> None:
    plain, thin = (
        build_network(student("timm/vit_tiny_patch16_224", options=options), 7, 64)
        for options in ({"depth": 1}, {"depth": 1, "mlp_ratio": 2.0})
    )
    assert sum(p.numel() for p in thin.parameters()) < sum(p.numel() for p in plain.parameters())
    with pytest.raises(DataError, match="refuses an option"):
        build_network(student("timm/mobilenetv3_small_050", options={"colour": 1}), 7, 64)


def test_a_size_that_cannot_work_is_refused_before_training() -> None:
    with pytest.raises(XpError) as caught:
        build_network(student("timm/vit_tiny_patch16_224"), 7, 8)
    assert isinstance(caught.value, DataError | JobError)
    assert caught.value.fix


def test_an_unknown_network_is_refused_with_a_hint() -> None:
    unknown = student("timm/mobilenetv3_large_100").model_copy(update={"arch": "timm/mobilenetv3_large_10"})
    with pytest.raises(DataError, match="no such network") as caught:
        build_network(unknown, 7, 64)
    assert "mobilenetv3_large_100" in caught.value.fix
