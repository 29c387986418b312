"""The learning rate follows its formula, and weight decay spares what it should."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from engine.core.train.optim import OPTIMIZERS, build_optimizer, is_decayed, learning_rate, recovery, set_rate
from engine.spec import Train

TRAIN = Train(epochs=10, lr=1e-3, min_lr=1e-5, warmup_epochs=2, weight_decay=0.05)


def test_warm_up_rises_evenly_to_the_rate() -> None:
    rates = [learning_rate(step, 5, TRAIN) for step in range(10)]
    assert rates == pytest.approx([1e-4 * (step + 1) for step in range(10)])


def test_after_warm_up_the_rate_is_a_cosine_to_min_lr() -> None:
    halfway = 10 + 20
    assert learning_rate(10, 5, TRAIN) == pytest.approx(1e-3)
    assert learning_rate(halfway, 5, TRAIN) == pytest.approx((1e-3 + 1e-5) / 2)
    assert learning_rate(50, 5, TRAIN) == pytest.approx(1e-5)
    assert learning_rate(49, 5, TRAIN) == pytest.approx(1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * 39 / 40)) / 2)


def test_the_rate_does_not_depend_on_the_batch_size() -> None:
    large = TRAIN.model_copy(update={"batch_size": 4096})
    assert learning_rate(17, 5, large) == learning_rate(17, 5, TRAIN)


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    assert learning_rate(0, 5, TRAIN.model_copy(update={"warmup_epochs": 0})) == pytest.approx(1e-3)


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


def test_a_least_rate_above_the_rate_is_never_reached() -> None:
    low = TRAIN.model_copy(update={"lr": 1e-6, "min_lr": 1e-5})
    assert [learning_rate(step, 5, low) for step in (10, 30, 50)] == pytest.approx([1e-6] * 3)


def test_past_its_end_the_rate_stays_and_an_epoch_of_warm_up_alone_has_no_rest() -> None:
    assert learning_rate(70, 5, TRAIN) == pytest.approx(1e-5)
    short = TRAIN.model_copy(update={"epochs": 1, "warmup_epochs": 1})
    assert learning_rate(5, 5, short) == pytest.approx(1e-3)


def test_a_network_without_matrices_has_one_group() -> None:
    (group,) = build_optimizer(nn.LayerNorm(4), TRAIN).param_groups
    assert group["weight_decay"] == 0.0


def test_recovery_may_be_told_its_rate_and_shortens_no_warm_up_it_lacks() -> None:
    assert recovery(TRAIN.model_copy(update={"warmup_epochs": 0}), 3, 2e-4).warmup_epochs == 0
    assert recovery(TRAIN, 3, 2e-4).lr == 2e-4
