"""The learning rate follows its formula, and weight decay spares what it should."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from engine.core.train.optim import build_optimizer, is_decayed, learning_rate, recovery
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


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_each_parameter_is_in_one_group_and_frozen_ones_in_none(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    network[2].bias.requires_grad_(False)
    optimizer = build_optimizer(network, TRAIN.model_copy(update={"optimizer": name}))
    decayed, free = optimizer.param_groups
    assert len(decayed["params"]) == 2
    assert decayed["weight_decay"] == 0.05
    assert len(free["params"]) == 3
    assert free["weight_decay"] == 0.0
