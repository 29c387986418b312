"""Lean layers give values, gradients and running statistics of torch's own layers."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.network.recompute import act_linear, norm_act_conv, norm_linear

from .nets import randomize

Layers = tuple[nn.Module, ...]
Run = Callable[[Tensor, Layers], Tensor]


def plain_conv(x: Tensor, layers: Layers) -> Tensor:
    norm, conv = layers
    answer: Tensor = conv(F.gelu(norm(x)))
    return answer


def lean_conv(x: Tensor, layers: Layers) -> Tensor:
    norm, conv = layers
    assert isinstance(norm, nn.BatchNorm2d)
    assert isinstance(conv, nn.Conv2d)
    return norm_act_conv(x, norm, conv)


def plain_norm(x: Tensor, layers: Layers) -> Tensor:
    answer: Tensor = layers[1](layers[0](x))
    return answer


def lean_norm(x: Tensor, layers: Layers) -> Tensor:
    norm, linear = layers
    assert isinstance(norm, nn.LayerNorm)
    assert isinstance(linear, nn.Linear)
    return norm_linear(x, norm, linear)


def plain_act(x: Tensor, layers: Layers) -> Tensor:
    answer: Tensor = layers[0](F.gelu(x))
    return answer


def lean_act(x: Tensor, layers: Layers) -> Tensor:
    (linear,) = layers
    assert isinstance(linear, nn.Linear)
    return act_linear(x, linear)


CASES: dict[str, tuple[Run, Run, Layers, tuple[int, ...]]] = {
    "conv": (plain_conv, lean_conv, (nn.BatchNorm2d(4), nn.Conv2d(4, 6, 1, bias=False)), (3, 4, 5, 5)),
    "depthwise": (
        plain_conv,
        lean_conv,
        (nn.BatchNorm2d(4, eps=0.1, momentum=0.3), nn.Conv2d(4, 4, 3, 2, 1, groups=4, bias=False)),
        (3, 4, 5, 5),
    ),
    "norm": (plain_norm, lean_norm, (nn.LayerNorm(4, eps=0.1), nn.Linear(4, 6)), (2, 3, 4)),
    "norm without bias": (plain_norm, lean_norm, (nn.LayerNorm(4), nn.Linear(4, 6, bias=False)), (2, 3, 4)),
    "act": (plain_act, lean_act, (nn.Linear(4, 6),), (2, 3, 4)),
    "act without bias": (plain_act, lean_act, (nn.Linear(4, 6, bias=False),), (2, 3, 4)),
}


def take_step(run: Run, layers: Layers, x: Tensor) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """Return the output, the gradients of input and parameters, and the state after two passes."""
    kept, x = nn.ModuleList(copy.deepcopy(layers)).train(), x.clone().requires_grad_()
    run(x, tuple(kept))
    out = run(x, tuple(kept))
    weight = torch.arange(out.numel(), dtype=out.dtype).view_as(out).sin()
    return out, list(torch.autograd.grad((out * weight).sum(), [x, *kept.parameters()])), kept.state_dict()


@pytest.mark.parametrize("name", CASES)
def test_values_gradients_and_statistics_are_those_of_plain_layers(name: str) -> None:
    plain, lean, layers, shape = CASES[name]
    layers = copy.deepcopy(layers)
    for layer in layers:
        randomize(layer, scale=0.3)
        layer.double()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
    wanted, found = (take_step(run, layers, x) for run in (plain, lean))
    torch.testing.assert_close(found[0], wanted[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(found[1], wanted[1], rtol=0, atol=1e-10)
    torch.testing.assert_close(found[2], wanted[2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_under_autocast_the_work_is_bf16_and_gradients_are_near(name: str) -> None:
    plain, lean, layers, shape = CASES[name]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        wanted, found = (take_step(run, layers, x) for run in (plain, lean))
    assert found[0].dtype == wanted[0].dtype == torch.bfloat16
    for one, other in zip(found[1], wanted[1], strict=True):
        assert one.dtype == other.dtype
        assert float((one - other).norm()) < 0.03 * float(other.norm()) + 1e-3


@pytest.mark.parametrize("name", CASES)
def test_only_the_input_is_kept_of_what_has_its_size(name: str) -> None:
    _, lean, layers, shape = CASES[name]
    x, kept = torch.randn(shape, requires_grad=True), []

    def pack(value: Tensor) -> Tensor:
        kept.append(value.data_ptr())
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        lean(x, tuple(nn.ModuleList(copy.deepcopy(layers)).train()))
    assert x.data_ptr() in kept
    assert len(set(kept)) <= 6
