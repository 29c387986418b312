"""What is foreseen of a pruning is what pruning does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.core.network.build import build_network
from engine.core.prune.masks import choose_masks
from engine.core.prune.structured import find_layers, prune_network
from engine.core.prune_left import prune_left
from engine.spec import Prune, Student

SMALL: dict[str, Any] = {
    "arch": "tiny_vit", "dims": [8, 16, 32, 32], "depths": [1, 1, 2, 1], "heads": [1, 2, 2, 4], "windows": [4, 4, 2, 1]
}  # fmt: skip
SPARSE = {**SMALL, "attention": {"kind": "longformer", "radius": 1, "globals": 1}}


@pytest.mark.parametrize("words", [SMALL, SPARSE], ids=["window", "sparse"])
@pytest.mark.parametrize("ratio", [0.2, 0.45, 0.6])
def test_it_is_what_pruning_leaves(words: dict[str, Any], ratio: float) -> None:
    prune, network = Prune(ratio=ratio, criterion="random"), Student.model_validate(words)
    told = prune_left(network, 10, 32, prune)
    torch.manual_seed(0)
    built = build_network(network, 10, 32)
    before = [layer.units for layer in find_layers(built)]
    report = prune_network(built, prune)
    after = [layer.units for layer in find_layers(built)]
    single = sum(now == 1 < then for then, now in zip(before, after, strict=True))
    share = report.params_after / report.params_before
    assert told == {"share": share, "params": report.params_after, "single": single, "layers": len(before)}


def test_a_ratio_that_cannot_be_is_told_as_the_job_would() -> None:
    told = prune_left(Student.model_validate(SMALL), 10, 32, Prune(ratio=0.99))
    assert set(told) == {"what", "fix"}
    assert told["what"].startswith("prune.ratio 0.99: only ")


def test_a_network_without_units_is_refused_by_name() -> None:
    told = prune_left(Student(arch="timm/convnextv2_atto"), 10, 64, Prune(ratio=0.2))
    assert told["what"] == "structured pruning knows no unit of convnextv2_atto that can be taken away"
    assert "unstructured" in told["fix"]


@pytest.mark.parametrize("method", ["unstructured", "2:4"])
def test_of_a_mask_it_is_what_is_not_zero(method: Any) -> None:
    network, prune = Student(arch="timm/resnet10t"), Prune(method=method, criterion="l1", ratio=0.5)
    built = build_network(network, 10, 64)
    zeros = sum(int((~mask).sum()) for mask in choose_masks(built, prune).values())
    told = prune_left(network, 10, 64, prune)
    assert told["params"] == sum(value.numel() for value in built.parameters()) - zeros
