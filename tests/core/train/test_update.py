"""Scaled losses leave the step what it was; overflows leave one out; what is clipped is not scaled any more."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from torch import nn

from engine.core.train.update import LEAST_SCALE, Update
from engine.spec import Train

CPU = torch.device("cpu")
IMAGES = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))


def make_update(precision: str, words: Mapping[str, object] | None = None) -> tuple[nn.Linear, Update]:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    return network, Update(network, Train.model_validate({"lr": 0.1, **(words or {})}), CPU, precision)


def do_step(network: nn.Linear, update: Update, factor: float = 1.0) -> None:
    update.begin()
    update.scale(factor * network(IMAGES).square().mean()).backward()  # type: ignore[no-untyped-call]
    update.step(0.1)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lamb"])
@pytest.mark.parametrize("clip", [None, 0.01])
def test_a_scaled_step_is_the_step(optimizer: str, clip: float | None) -> None:
    words = {"optimizer": optimizer, "clip_grad": clip}
    (plain, update), (scaled, other) = make_update("fp32", words), make_update("fp16", words)
    for _ in range(3):
        do_step(plain, update)
        do_step(scaled, other)
    assert other.scaler is not None
    assert other.scaler.get_scale() == 2.0**16
    torch.testing.assert_close(scaled.weight, plain.weight, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lamb"])
def test_a_step_that_overflows_is_left_out_and_halves_the_scale(optimizer: str) -> None:
    network, update = make_update("fp16", {"optimizer": optimizer})
    before = network.weight.detach().clone()
    do_step(network, update, math.inf)
    assert torch.equal(network.weight, before)
    assert update.scaler is not None
    assert update.scaler.get_scale() == 2.0**15
    do_step(network, update)
    assert not torch.equal(network.weight, before)


def test_a_scale_that_never_recovers_is_known() -> None:
    network, update = make_update("fp16")
    for _ in range(40):
        do_step(network, update, math.inf)
    assert not make_update("fp16")[1].is_lost
    do_step(network, update, math.inf)
    assert update.is_lost
    assert update.scaler is not None
    assert update.scaler.get_scale() < LEAST_SCALE
    assert not make_update("fp32")[1].is_lost


def test_scale_and_its_growth_come_back_from_a_checkpoint() -> None:
    network, update = make_update("fp16")
    for factor in (math.inf, 1.0, 1.0):
        do_step(network, update, factor)
    state = update.capture()
    _, other = make_update("fp16")
    other.restore(state)
    assert other.capture()["scaler"] == state["scaler"]
    assert state["scaler"]["_growth_tracker"] == 2
    assert "scaler" not in make_update("bf16")[1].capture()


def test_what_is_trained_beside_the_network_is_clipped_by_itself() -> None:
    """A projector's gradients neither shorten the student's nor go unclipped."""
    torch.manual_seed(0)
    network, beside = nn.Linear(4, 3), nn.Linear(3, 2)
    update = Update(network, Train(lr=0.1, clip_grad=1e-3), CPU, "fp32", beside)
    update.begin()
    (network(IMAGES).square().mean() + 1e4 * beside(network(IMAGES).detach()).square().mean()).backward()
    before = beside.weight.detach().clone()
    update.step(0.1)
    for part in (network, beside):
        length = torch.cat([value.grad.flatten() for value in part.parameters() if value.grad is not None]).norm()
        assert length.item() == pytest.approx(1e-3, rel=1e-3)
    assert not torch.equal(beside.weight, before)
