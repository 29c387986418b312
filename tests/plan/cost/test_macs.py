"""MACs and parameters by formula are those that torch counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.core.measure import count_macs as counted_macs
from engine.core.measure import count_params as counted_params
from engine.core.network.build import build_network
from engine.plan.cost.macs import TIMM_MACS, count_macs, count_params
from engine.spec import Student

NETWORKS: list[dict[str, Any]] = [
    {"arch": "tiny_vit_5m"},
    {"arch": "tiny_vit_21m", "windows": [14, 14, 14, 7]},
    {"arch": "tiny_vit", "dims": [16, 32, 48, 64], "depths": [1, 1, 2, 1], "heads": [1, 2, 3, 4]},
]


@pytest.mark.parametrize("words", NETWORKS, ids=lambda words: words["arch"])
@pytest.mark.parametrize("image_size", [224, 160])
def test_the_formula_is_what_torch_counts(words: dict[str, Any], image_size: int) -> None:
    network = Student.model_validate(words)
    with torch.device("meta"):
        built = build_network(network, 10, image_size)
    assert count_macs(network, image_size) == pytest.approx(counted_macs(built, image_size), rel=0.02)
    assert count_params(network) == pytest.approx(counted_params(built), rel=0.1)


def test_a_timm_network_is_a_middling_one_until_it_is_counted() -> None:
    network = Student(arch="timm/convnextv2_atto")
    assert count_macs(network, 224) == TIMM_MACS
    assert count_macs(network, 112) == TIMM_MACS / 4
