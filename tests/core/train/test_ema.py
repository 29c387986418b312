"""The moving average is timm's, leaves the network as it was, and is shown bit by bit."""

from __future__ import annotations

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import nn

from engine.core.train.ema import MovingAverage, decay_at, make_average
from engine.spec import Train

from .toy import make_network


def trained(network: nn.Module, steps: int) -> None:
    """Let weights and running statistics move."""
    noise = torch.Generator().manual_seed(steps)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    optimizer.zero_grad()
    network(torch.randn(8, 3, 8, 8, generator=noise)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("warms_up", [True, False])
@pytest.mark.parametrize("decay", [0.3, 0.9])
def test_it_is_timms_average_of_weights_statistics_and_counters(decay: float, warms_up: bool) -> None:
    network = make_network().train()
    average, peer = MovingAverage(network, decay, warms_up=warms_up), ModelEmaV3(network, decay, use_warmup=warms_up)
    for step in range(1, 9):
        trained(network, step)
        average.update(step)
        peer.update(network, step)
    wanted = peer.module.state_dict()
    assert average.values.keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in average.values.items())
    assert not torch.equal(average.values["0.weight"], network.state_dict()["0.weight"])
    assert average.values["1.num_batches_tracked"] == 8


def test_the_decay_rises_from_none_to_its_own() -> None:
    found = [decay_at(step, 0.9, warms_up=True) for step in (1, 2, 9, 31, 32, 33, 1000)]
    wanted = [0.0, 1 - 2 ** (-2 / 3), 1 - 9 ** (-2 / 3), 1 - 31 ** (-2 / 3), 0.9, 0.9, 0.9]
    assert found == pytest.approx(wanted, abs=1e-2)
    assert [decay_at(step, 0.9, warms_up=False) for step in (1, 2, 9)] == [0.0, 0.9, 0.9]
    peer = ModelEmaV3(nn.Linear(1, 1), 0.9, use_warmup=True)
    assert [decay_at(step, 0.9, warms_up=True) for step in range(50)] == [peer.get_decay(step) for step in range(50)]


def test_what_is_shown_goes_and_the_weights_come_back_bit_by_bit() -> None:
    network = make_network().train()
    average = MovingAverage(network, 0.5, warms_up=False)
    for step in (1, 2, 3):
        trained(network, step)
        average.update(step)
    own = {name: value.clone() for name, value in network.state_dict().items()}
    averaged = {name: value.clone() for name, value in average.values.items()}
    places = [value.data_ptr() for value in network.state_dict().values()]

    with average.shown():
        assert all(torch.equal(value, averaged[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(value, own[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(value, averaged[name]) for name, value in average.values.items())
    assert places == [value.data_ptr() for value in network.state_dict().values()], "what was compiled knows them"
    average.put()
    assert all(torch.equal(value, averaged[name]) for name, value in network.state_dict().items())


def test_a_weight_that_two_layers_share_moves_once() -> None:
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight, network = first.weight, nn.Sequential(first, second)
    average = MovingAverage(network, 0.5, warms_up=False)
    before = first.weight.detach().clone()
    with torch.no_grad():
        first.weight.add_(1.0)
    average.update(2)
    assert list(average.values) == ["0.weight"]
    assert torch.equal(average.values["0.weight"], before.lerp(before + 1.0, 0.5))


def test_no_average_is_kept_that_nobody_asked_for() -> None:
    assert make_average(make_network(), Train()) is None
    assert make_average(make_network(), Train(ema=0.9)) is not None
