"""Optimizers follow their formulas, timm's are timm's, and weight decay spares what it should."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.optim import create_optimizer_v2
from torch import Tensor, nn

from engine.core.train.optim import OPTIMIZERS, build_optimizer, is_decayed, recovery, set_rate
from engine.errors import JobError
from engine.spec import Train
from engine.spec.optimizers import OPTIMIZER_WORDS

TRAIN = Train(epochs=10, lr=1e-3, min_lr=1e-5, warmup_epochs=2, weight_decay=0.05)


def test_recovery_takes_a_tenth_of_the_rate_and_at_most_one_epoch_of_warm_up() -> None:
    short = recovery(TRAIN, 3, None)
    assert short.lr == pytest.approx(1e-4)
    assert (short.epochs, short.warmup_epochs) == (3, 1)
    assert recovery(TRAIN, 1, None).warmup_epochs == 0
    assert recovery(TRAIN, 1, 0.5).lr == 0.5


def test_vectors_biases_and_bias_tables_do_not_decay() -> None:
    matrix, vector = torch.zeros(3, 4), torch.zeros(4)
    assert is_decayed("stages.1.qkv.weight", matrix)
    assert not is_decayed("stages.1.attn.attention_biases", matrix)
    assert not is_decayed("norm.weight", vector)
    assert not is_decayed("head.bias", vector)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_parameter_is_in_one_group_and_frozen_ones_in_none(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    network[2].bias.requires_grad_(False)
    optimizer = build_optimizer(network, TRAIN.model_copy(update={"optimizer": name}))
    decayed, free = optimizer.param_groups
    assert len(decayed["params"]) == 2
    assert decayed["weight_decay"] == 0.05
    assert len(free["params"]) == 3
    assert free["weight_decay"] == 0.0


def test_every_optimizer_has_its_formula() -> None:
    """A word whose steps nobody has worked out may be another optimizer than it says."""
    assert {f"test_{name}_is_its_formula" for name in OPTIMIZERS} <= set(globals())


def test_adamw_is_its_formula() -> None:
    """Five steps with given gradients: betas 0.9 and 0.999, eps 1e-8, decay times the rate (Loshchilov, Hutter)."""
    network, optimizer, grads = prescribed("adamw")
    for name, value in network.named_parameters():
        wanted, first, second = START[name].clone(), torch.zeros(()), torch.zeros(())
        for step, grad in enumerate(grads[name], start=1):
            first, second = 0.9 * first + 0.1 * grad, 0.999 * second + 0.001 * grad**2
            decay = 0.05 if name == "weight" else 0.0
            root = (second / (1 - 0.999**step)).sqrt() + 1e-8
            wanted = wanted * (1 - RATES[step - 1] * decay) - RATES[step - 1] * first / (1 - 0.9**step) / root
        torch.testing.assert_close(value.detach(), wanted, rtol=1e-12, atol=1e-12)
    assert {type(optimizer)} == {torch.optim.AdamW}


def test_sgd_is_its_formula() -> None:
    """Five steps with given gradients: Nesterov momentum 0.9, the decay a part of the gradient."""
    network, _, grads = prescribed("sgd")
    for name, value in network.named_parameters():
        wanted, speed = START[name].clone(), torch.zeros(())
        for step, grad in enumerate(grads[name], start=1):
            pull = grad + (0.05 if name == "weight" else 0.0) * wanted
            speed = 0.9 * speed + pull
            wanted = wanted - RATES[step - 1] * (pull + 0.9 * speed)
        torch.testing.assert_close(value.detach(), wanted, rtol=1e-12, atol=1e-12)


START = {"weight": torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64), "bias": torch.tensor([3.0]).double()}
RATES = (0.1, 0.3, 0.2, 0.2, 0.1)


def prescribed(name: str) -> tuple[nn.Module, torch.optim.Optimizer, dict[str, list[Tensor]]]:
    """Return a linear layer after five steps, and its gradients; some are so small that eps counts."""
    network = nn.Linear(3, 1).double()
    network.load_state_dict(START)
    optimizer = build_optimizer(network, TRAIN.model_copy(update={"optimizer": name}))
    noise = torch.Generator().manual_seed(0)
    grads: dict[str, list[Tensor]] = {"weight": [], "bias": []}
    for rate in RATES:
        for key, value in network.named_parameters():
            value.grad = torch.randn(value.shape, generator=noise, dtype=torch.float64)
            if key == "weight":
                value.grad[0, 0] *= 1e-7
            grads[key].append(value.grad.clone())
        set_rate(optimizer, rate)
        optimizer.step()
    return network, optimizer, grads


def test_decay_goes_by_the_last_part_of_a_name() -> None:
    matrix = torch.zeros(3, 4)
    assert is_decayed("bias_net.weight", matrix)
    assert not is_decayed("layer.in_proj_bias", matrix)


def test_a_network_without_matrices_has_one_group() -> None:
    (group,) = build_optimizer(nn.LayerNorm(4), TRAIN).param_groups
    assert group["weight_decay"] == 0.0


def test_recovery_may_be_told_its_rate_and_shortens_no_warm_up_it_lacks() -> None:
    assert recovery(TRAIN.model_copy(update={"warmup_epochs": 0}), 3, 2e-4).warmup_epochs == 0
    assert recovery(TRAIN, 3, 2e-4).lr == 2e-4


TIMMS = [name for name in OPTIMIZER_WORDS if name not in OPTIMIZERS]


def fitted(name: str, words: dict[str, Any], steps: int = 3) -> dict[str, Tensor]:
    """Return a small network after some steps; `words` go to the optimizer."""
    torch.manual_seed(0)
    first = (nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.GELU(), nn.Flatten())
    network = nn.Sequential(*first, nn.Linear(144, 5))
    optimizer = build_optimizer(network, TRAIN.model_copy(update={"optimizer": name, **words}))
    noise = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        network(torch.randn(8, 3, 8, 8, generator=noise)).square().mean().backward()
        optimizer.step()
    return {key: value.detach() for key, value in network.named_parameters()}


@pytest.mark.parametrize("name", TIMMS)
def test_every_optimizer_of_timm_moves_all_weights_and_takes_its_options(name: str) -> None:
    start, moved = fitted(name, {}, 0), fitted(name, {})
    assert all(bool(torch.isfinite(value).all()) for value in moved.values())
    assert [key for key, value in moved.items() if torch.equal(value, start[key])] == []
    words = OPTIMIZER_WORDS[name]
    options = {"betas": [0.5] * words.betas, "momentum": 0.5, "eps": 0.1}
    given = {key: value for key, value in options.items() if words.takes(key)}
    assert given
    other = fitted(name, given)
    assert not all(torch.equal(value, moved[key]) for key, value in other.items())


def test_lamb_is_what_timms_factory_makes() -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    peer = nn.Linear(4, 3)
    peer.load_state_dict(network.state_dict())
    ours = build_optimizer(network, TRAIN.model_copy(update={"optimizer": "lamb", "betas": [0.8, 0.9]}))
    theirs = create_optimizer_v2(peer, "lamb", lr=1e-3, weight_decay=0.05, betas=(0.8, 0.9))
    for step in range(3):
        for one, optimizer in ((network, ours), (peer, theirs)):
            optimizer.zero_grad()
            one(torch.full((2, 4), 1.0 + step)).square().sum().backward()
            optimizer.step()
    assert torch.equal(network.weight, peer.weight)
    assert torch.equal(network.bias, peer.bias)


def test_muon_leaves_tables_of_biases_to_adamw() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention_biases = nn.Parameter(torch.ones(8, 18))
            self.proj = nn.Linear(18, 8)

    network = Attention()
    optimizer = build_optimizer(network, TRAIN.model_copy(update={"optimizer": "muon"}))
    (network.proj.weight * network.attention_biases + network.proj.bias[:, None]).sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert not optimizer.state[network.attention_biases]["use_muon"]
    assert optimizer.state[network.proj.weight]["use_muon"]


def test_what_timm_refuses_is_told_with_a_fix() -> None:
    with pytest.raises(JobError, match="timm cannot make nesterovw"):
        build_optimizer(nn.Linear(2, 2), TRAIN.model_copy(update={"optimizer": "nesterovw", "momentum": -1.0}))


@pytest.mark.parametrize(("name", "words"), [("adamw", {"betas": [0.5, 0.6], "eps": 0.1}), ("sgd", {"momentum": 0.5})])
def test_options_take_the_place_of_constants(name: str, words: dict[str, Any]) -> None:
    (group, *_) = build_optimizer(nn.Linear(2, 2), TRAIN.model_copy(update={"optimizer": name, **words})).param_groups
    assert {key: list(value) if key == "betas" else value for key, value in group.items() if key in words} == words
    assert group["fused"]
