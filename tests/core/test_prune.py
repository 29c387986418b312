"""Pruning: what goes is gone, what stays computes as if the rest were zero, and the asked share is met."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.measure import count_params
from engine.core.network.build import build_network, build_pruned
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.widths import Widths
from engine.core.prune import Layer, find_layers, keep_units, prune_network, unit_params, widths_of
from engine.errors import JobError
from engine.spec import Prune
from tests.core.network.nets import network, student

TINY: dict[str, Any] = {"dims": [16, 32, 48, 64], "depths": [1, 1, 2, 1], "heads": [1, 2, 3, 4]}
DUAL = {"bias": "separate"}


def batches(count: int = 2) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 4, 3, 56, 56, generator=generator, dtype=torch.float64)
    return [(batch, torch.arange(4)) for batch in images]


def zero_units(layer: Layer, gone: list[int]) -> None:
    """Set the outgoing weights of the given units to zero."""
    module: Any = layer.module
    with torch.no_grad():
        if layer.kind == "mid":
            module.conv3.conv.weight[:, gone] = 0
        elif layer.kind == "hidden":
            module.fc2.weight[:, gone] = 0
        else:
            module.proj.weight.view(-1, layer.units, module.head_dim)[:, gone] = 0


@pytest.mark.parametrize("attention", [None, DUAL])
@pytest.mark.parametrize("kind", ["mid", "heads", "hidden"])
def test_removing_units_equals_zeroing_them(attention: dict[str, Any] | None, kind: str) -> None:
    zeroed, smaller = network(56, attention).eval(), network(56, attention).eval()
    for one, other in zip(find_layers(zeroed), find_layers(smaller), strict=True):
        if one.kind != kind or one.units < 2:
            continue
        gone = list(range(0, one.units, 2))
        zero_units(one, gone)
        keep_units(other, torch.tensor([unit for unit in range(one.units) if unit not in gone]))
    x = batches(1)[0][0]
    assert count_params(smaller) < count_params(zeroed)
    torch.testing.assert_close(smaller(x), zeroed(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("attention", [None, DUAL, {"projections": "shared"}])
def test_unit_costs_are_what_a_removal_saves(attention: dict[str, Any] | None) -> None:
    net = network(56, attention)
    for layer in find_layers(net):
        if layer.units < 2:
            continue
        before, cost = count_params(net), unit_params(layer.module)
        keep_units(layer, torch.arange(1, layer.units))
        assert before - count_params(net) == cost


@pytest.mark.parametrize("attention", [None, DUAL])
@pytest.mark.parametrize("of", ["params", "macs", "units"])
@pytest.mark.parametrize("ratio", [0.1, 0.2, 0.4])
def test_the_asked_share_is_met_within_two_points(attention: dict[str, Any] | None, of: Any, ratio: float) -> None:
    net = network(56, attention, **TINY)
    report = prune_network(net, Prune(ratio=ratio, of=of, criterion="l1"))
    assert abs(report.achieved - ratio) < 0.02
    assert report.params_after == count_params(net) < report.params_before
    assert report.macs_after < report.macs_before
    assert min(min(stage) for stage in report.widths.heads) >= 1


def test_a_large_network_meets_the_share_closely_with_even_widths() -> None:
    net = build_network(student("tiny_vit_5m"), 100, 224)
    report = prune_network(net, Prune(ratio=0.2, criterion="l2"))
    assert report.achieved == pytest.approx(0.2, abs=0.005)
    assert all(width % 8 == 0 for width in (*report.widths.mid, *sum(report.widths.hidden, ())))


@pytest.mark.parametrize("attention", [None, DUAL])
def test_a_pruned_network_comes_back_from_its_widths(attention: dict[str, Any] | None) -> None:
    net = network(56, attention)
    report = prune_network(net, Prune(ratio=0.2), batches())
    widths = Widths.from_json(json.loads(json.dumps(report.to_json()))["widths"])
    again = build_pruned(student(attention=attention), 10, 56, widths).double()
    again.load_state_dict(net.state_dict())
    x = batches(1)[0][0]
    assert torch.equal(again.eval()(x), net.eval()(x))
    assert widths == widths_of(net) == report.widths


@pytest.mark.parametrize("criterion", ["taylor", "l1", "l2"])
def test_units_that_do_nothing_go_first(criterion: Any) -> None:
    net = network()
    layer = next(layer for layer in find_layers(net) if layer.kind == "hidden")
    dead = list(range(1, layer.units, 8))
    zero_units(layer, dead)
    before = copy.deepcopy(net)
    prune_network(net, Prune(ratio=0.05, criterion=criterion), batches())
    kept = {tuple(row.tolist()) for row in net.get_submodule("stages.1.blocks.0.mlp.fc1").weight}  # type: ignore[union-attr]
    gone = [tuple(before.get_submodule("stages.1.blocks.0.mlp.fc1").weight[unit].tolist()) for unit in dead]  # type: ignore[index]
    removed = layer.units - len(kept)
    assert removed > 0
    assert sum(row not in kept for row in gone) == min(removed, len(dead))


def test_taylor_score_is_the_first_order_change_of_the_loss() -> None:
    net, data = network().eval(), batches(1)
    layer = next(layer for layer in find_layers(net) if layer.kind == "hidden")
    module: Any = layer.module
    images, labels = data[0]
    gate = torch.ones(layer.units, dtype=torch.float64, requires_grad=True)
    hook = module.fc2.register_forward_pre_hook(lambda _, args: (args[0] * gate,))
    nn.functional.cross_entropy(net(images), labels).backward()  # type: ignore[no-untyped-call]
    hook.remove()
    from engine.core.prune import score_units

    scores = score_units(net, [layer], "taylor", data, 0, nn.functional.cross_entropy)
    assert gate.grad is not None
    torch.testing.assert_close(scores[0], gate.grad.abs(), rtol=1e-9, atol=1e-15)


def test_random_control_depends_on_its_seed_alone() -> None:
    states = []
    for seed in (0, 0, 1):
        net = network()
        prune_network(net, Prune(ratio=0.2, criterion="random"), seed=seed)
        states.append(net.head.fc.weight if seed == 2 else net.get_submodule("stages.1.blocks.0.mlp.fc1").weight)
    assert torch.equal(states[0], states[1])  # type: ignore[arg-type]
    assert not torch.equal(states[0], states[2])  # type: ignore[arg-type]


def test_pruning_leaves_gradients_and_mode_alone() -> None:
    net = network()
    prune_network(net, Prune(ratio=0.2), batches())
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())


def test_what_cannot_be_pruned_says_why() -> None:
    with pytest.raises(JobError, match="tiny_vit"):
        prune_network(build_network(student("timm/mobilenetv3_small_050"), 10, 56), Prune(ratio=0.2))
    with pytest.raises(JobError, match="only 7"):
        prune_network(network(56, None, **TINY), Prune(ratio=0.95, criterion="l1"))
    with pytest.raises(JobError, match="training images"):
        prune_network(network(), Prune(ratio=0.2))
    assert widths_of(nn.Linear(2, 2)) is None


def test_lean_networks_prune_alike() -> None:
    net = build_network(student(), 10, 56, memory="lean")
    assert isinstance(net, TinyViT)
    prune_network(net, Prune(ratio=0.2, criterion="l1"))
    net(torch.randn(2, 3, 56, 56)).sum().backward()
