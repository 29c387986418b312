"""Weights that are cast at once give autocast's own numbers, to the bit, and come back as they were."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.network.build import build_network
from engine.core.train.halves import cast_weights, pays_off
from engine.spec import Student

SMALL = {"arch": "tiny_vit", "dims": [16, 32, 48, 64], "depths": [1, 1, 1, 1], "heads": [1, 2, 3, 4]}
SHARED = {**SMALL, "windows": [7, 7, 4, 2], "attention": {"kind": "longformer", "projections": "shared"}}
SPARSE = {**SMALL, "windows": [7, 7, 4, 2], "attention": {"kind": "longformer", "select": "learned"}}
BLOCK = {**SMALL, "windows": [7, 7, 4, 2], "attention": {"kind": "longformer", "pattern": "block", "combine": "sum"}}
NETWORKS: dict[str, dict[str, Any]] = {
    "dense": SMALL,
    "slide": SPARSE,
    "shared projections": SHARED,
    "block": BLOCK,
    "resnet": {"arch": "timm/resnet10t"},
    "vit": {"arch": "timm/vit_tiny_patch16_224", "options": {"depth": 2}},
    "convnext": {"arch": "timm/convnext_atto", "options": {"depths": [1, 1, 1, 1]}},
}


def one_step(words: dict[str, Any], kind: torch.dtype, *, at_once: bool, memory: Any = "standard") -> list[Tensor]:
    """Return the logits, the gradient of every parameter and the statistics after a training step in autocast."""
    torch.manual_seed(0)
    network = build_network(Student.model_validate(words), 5, 64, memory=memory).train()
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    with torch.autocast("cpu", kind), cast_weights(network, kind) if at_once else nullcontext():
        logits = network(images)
    logits.float().square().sum().backward()
    assert all(value.dtype == torch.float32 for value in network.parameters())
    return [
        logits.detach(),
        *(value.grad for value in network.parameters() if value.grad is not None),
        *network.buffers(),
    ]


@pytest.mark.parametrize(("name", "kind"), [*((name, torch.bfloat16) for name in NETWORKS), ("dense", torch.float16)])
def test_logits_and_gradients_are_those_of_autocast(name: str, kind: torch.dtype) -> None:
    wanted, found = (one_step(NETWORKS[name], kind, at_once=at_once) for at_once in (False, True))
    assert len(wanted) == len(found)
    assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True))


@pytest.mark.parametrize("name", ["dense", "block", "vit"])
def test_lean_layers_take_the_cast_weights_too(name: str) -> None:
    ways = [(False, "lean"), (True, "lean")]
    wanted, found = (
        one_step(NETWORKS[name], torch.bfloat16, at_once=at_once, memory=memory) for at_once, memory in ways
    )
    assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True))


def test_a_weight_that_two_layers_share_is_cast_once_and_gets_both_gradients() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight, network = first.weight, nn.Sequential(first, second)
    with torch.autocast("cpu", torch.bfloat16), cast_weights(network, torch.bfloat16):
        assert network[0].weight is network[1].weight
        assert network[0].weight.dtype == torch.bfloat16
        network(torch.ones(2, 4)).float().sum().backward()
    assert first.weight.grad is not None
    assert first.weight.grad.dtype == torch.float32
    assert network[0].weight is first.weight


def test_a_layer_that_works_on_its_weight_keeps_it() -> None:
    class Standardised(nn.Linear):
        def forward(self, images: Tensor) -> Tensor:
            assert self.weight.dtype == torch.float32
            return nn.functional.linear(images, self.weight / self.weight.std(), self.bias)

    network = nn.Sequential(Standardised(4, 4))
    with torch.autocast("cpu", torch.bfloat16), cast_weights(network, torch.bfloat16):
        network(torch.ones(2, 4))


def test_weights_come_back_after_an_error_and_a_frozen_one_gets_no_gradient() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    own = list(network.parameters())
    network[0].requires_grad_(False)
    with pytest.raises(RuntimeError), cast_weights(network, torch.bfloat16):
        network(torch.ones(2, 5))
    assert all(one is other for one, other in zip(network.parameters(), own, strict=True))
    with torch.autocast("cpu", torch.bfloat16), cast_weights(network, torch.bfloat16):
        network(torch.ones(2, 4)).float().sum().backward()
    assert network[0].weight.grad is None
    assert network[1].weight.grad is not None


def test_it_pays_on_a_gpu_and_for_no_compiled_network() -> None:
    network, gpu = nn.Linear(2, 2), torch.device("cuda", 0)
    assert pays_off(network, gpu)
    assert not pays_off(network, torch.device("cpu"))
    network.compile(backend="eager")
    assert not pays_off(network, gpu)
