"""A lean network of timm has the values, gradients, masks and running statistics of the other, from less memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.network.build import build_network
from engine.core.network.checkpointing import make_lean
from engine.errors import JobError
from engine.spec import Student

CASES: dict[str, dict[str, Any]] = {
    "its own switch, BatchNorm": {"arch": "timm/resnet10t"},
    "its own switch, masks": {"arch": "timm/vit_tiny_patch16_224", "options": {"depth": 3, "proj_drop_rate": 0.3}},
    "its own switch, drop path": {"arch": "timm/convnext_atto", "drop_path": 0.5, "options": {"depths": [1, 1, 2, 1]}},
    "wrapped, BatchNorm": {"arch": "timm/selecsls42b"},
    "wrapped, activations in place": {"arch": "timm/legacy_seresnet18"},
    "wrapped, lists": {"arch": "timm/hrnet_w18_small"},
}


def train_step(words: dict[str, Any], memory: Any) -> tuple[list[Tensor], int]:
    """Return logits, gradients and state after a step, and the bytes kept between forward and backward."""
    torch.manual_seed(0)
    network = build_network(Student.model_validate(words), 5, 64, memory=memory).train()
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    kept: dict[int, Tensor] = {}
    torch.manual_seed(2)

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage().data_ptr()] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        logits = network(images)
    own = {value.untyped_storage().data_ptr() for value in network.parameters()}
    size = sum(value.untyped_storage().nbytes() for place, value in kept.items() if place not in own)
    logits.square().sum().backward()
    grads = [value.grad for value in network.parameters() if value.grad is not None]
    return [logits.detach(), *grads, *network.state_dict().values()], size


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_the_same_to_the_bit_and_keeps_less(name: str) -> None:
    (wanted, most), (found, least) = (train_step(CASES[name], memory) for memory in ("standard", "lean"))
    assert len(wanted) == len(found)
    assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True))
    assert least < 0.8 * most


def test_statistics_move_once_in_a_second_step_too_and_stay_in_evaluation() -> None:
    network = build_network(Student.model_validate(CASES["its own switch, BatchNorm"]), 5, 64, memory="lean").train()
    for step in (1, 2):
        network(torch.randn(2, 3, 64, 64)).sum().backward()
        assert {int(value) for name, value in network.state_dict().items() if "num_batches" in name} == {step}
    momenta = {part.momentum for part in network.modules() if isinstance(part, nn.BatchNorm2d)}
    assert momenta == {0.1}
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.eval()(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_without_a_row_of_blocks_is_refused_by_name() -> None:
    with pytest.raises(JobError, match="memory: lean cannot be done here") as caught:
        build_network(Student.model_validate({"arch": "timm/dla34"}), 5, 64, memory="lean")
    assert caught.value.where == "timm/dla34"
    assert "train.memory: standard" in caught.value.fix


def test_a_switch_that_only_refuses_is_no_switch() -> None:
    class Refusing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)) for _ in range(3)))

        def set_grad_checkpointing(self, enable: bool = True) -> None:
            assert not enable, "not supported"

        def forward(self, images: Tensor) -> Tensor:
            answer: Tensor = self.blocks(images)
            return answer

    network = Refusing()
    make_lean(network, "refusing")
    assert not any(getattr(part, "inplace", False) for part in network.modules())
    network(torch.ones(2, 4)).sum().backward()
    assert all(value.grad is not None for value in network.parameters())
