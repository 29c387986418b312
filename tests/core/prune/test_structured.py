"""Pruning: what goes is gone, what stays computes as if the rest were zero, and the asked share is met."""

from __future__ import annotations

import copy
import inspect
import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.measure import count_macs, count_params
from engine.core.network.build import build_network, build_pruned
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.units import Layer, keep_units, unit_params
from engine.core.network.widths import Widths
from engine.core.prune import criteria
from engine.core.prune.criteria import CRITERIA, score_units
from engine.core.prune.shares import drop_at
from engine.core.prune.structured import best_units, find_layers, prune_network
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
        before, cost = count_params(net), unit_params(layer)
        keep_units(layer, torch.arange(1, layer.units))
        assert before - count_params(net) == cost


@pytest.mark.parametrize("attention", [None, DUAL])
@pytest.mark.parametrize("of", ["params", "macs", "units"])
@pytest.mark.parametrize("ratio", [0.1, 0.2, 0.4])
def test_the_asked_share_is_met_within_a_point(attention: dict[str, Any] | None, of: Any, ratio: float) -> None:
    net = network(56, attention, **TINY)
    report = prune_network(net, Prune(ratio=ratio, of=of, criterion="l1"))
    assert abs(report.achieved - ratio) <= 0.01
    assert report.params_after == count_params(net) < report.params_before
    assert report.macs_after < report.macs_before
    assert isinstance(report.widths, Widths)
    assert min(min(stage) for stage in report.widths.heads) >= 1


def test_a_large_network_meets_the_share_closely_with_even_widths() -> None:
    net = build_network(student("tiny_vit_5m"), 100, 224)
    report = prune_network(net, Prune(ratio=0.2, criterion="l2"))
    assert report.achieved == pytest.approx(0.2, abs=0.005)
    assert isinstance(report.widths, Widths)
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
    assert widths == net.widths == report.widths


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
    with pytest.raises(JobError, match="no unit of convnextv2_atto"):
        prune_network(build_network(student("timm/convnextv2_atto"), 10, 64), Prune(ratio=0.2), image_size=64)
    with pytest.raises(JobError, match="only 7"):
        prune_network(network(56, None, **TINY), Prune(ratio=0.95, criterion="l1"))
    with pytest.raises(JobError, match="training images"):
        prune_network(network(), Prune(ratio=0.2))


def test_lean_networks_prune_alike() -> None:
    net = build_network(student(), 10, 56, memory="lean")
    assert isinstance(net, TinyViT)
    prune_network(net, Prune(ratio=0.2, criterion="l1"))
    net(torch.randn(2, 3, 56, 56)).sum().backward()


def gate_gradient(net: nn.Module, layer: Layer, images: Tensor, labels: Tensor) -> Tensor:
    """Return dL/dgate for a gate of 1 on what each unit gives on: the first-order change when the unit goes."""
    module: Any = layer.module
    gate = torch.ones(layer.units, dtype=torch.float64, requires_grad=True)
    last = {"mid": "conv3", "heads": "proj", "hidden": "fc2"}[layer.kind]
    shape = (1, -1, 1, 1) if layer.kind == "mid" else (-1,)
    wide = {"heads": getattr(module, "head_dim", 1)}.get(layer.kind, 1)
    target = module.conv3.conv if layer.kind == "mid" else getattr(module, last)
    hook = target.register_forward_pre_hook(lambda _, args: (args[0] * gate.repeat_interleave(wide).view(shape),))
    (found,) = torch.autograd.grad(nn.functional.cross_entropy(net(images), labels), gate)
    hook.remove()
    return found


@pytest.mark.parametrize("kind", ["mid", "heads", "hidden"])
def test_taylor_scores_are_means_of_batches_taken_in_eval_mode(kind: str) -> None:
    """A network in training mode is scored as in eval mode, and its batch norm does not move."""
    net, data = network(), batches()
    layer = [layer for layer in find_layers(net) if layer.kind == kind][-1]
    wanted = sum(gate_gradient(net.eval(), layer, *batch).abs() for batch in data) / 2
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    (score,) = score_units(net, [layer], "taylor", data, 0, nn.functional.cross_entropy)
    torch.testing.assert_close(score, wanted, rtol=1e-9, atol=1e-15)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_taylor_takes_the_loss_that_is_given() -> None:
    net, data = network(), batches(1)
    layers = find_layers(net)[:1]
    (one,) = score_units(net, layers, "taylor", data, 0, nn.functional.cross_entropy)
    (twice,) = score_units(net, layers, "taylor", data, 0, lambda z, y: 2 * nn.functional.cross_entropy(z, y))
    torch.testing.assert_close(twice, 2 * one)


@pytest.mark.parametrize(("criterion", "order"), [("l1", 1), ("l2", 2)])
def test_norm_scores_are_incoming_times_outgoing(criterion: str, order: int) -> None:
    net = network()
    layers = find_layers(net)
    scores = score_units(net, layers, criterion, (), 0, nn.functional.cross_entropy)
    assert {layer.kind for layer in layers} == {"mid", "heads", "hidden"}
    for layer, score in zip(layers, scores, strict=True):
        module: Any = layer.module
        for unit in {0, layer.units - 1}:
            if layer.kind == "mid":
                into, out = module.conv1.conv.weight[unit], module.conv3.conv.weight[:, unit]
            elif layer.kind == "hidden":
                into, out = module.fc1.weight[unit], module.fc2.weight[:, unit]
            else:
                wide = module.head_dim
                into = module.qkv.weight[3 * wide * unit : 3 * wide * (unit + 1)]
                out = module.proj.weight[:, wide * unit : wide * (unit + 1)]
            sizes = [float(part.detach().abs().pow(order).sum() ** (1 / order)) for part in (into, out)]
            assert float(score[unit]) == pytest.approx(sizes[0] * sizes[1])


def test_every_score_has_a_word() -> None:
    written = {name for name, _ in inspect.getmembers(criteria, inspect.isfunction) if name.endswith("_scores")} - {
        "even_scores"
    }
    used = {getattr(criterion.score, "func", criterion.score) for criterion in CRITERIA.values()}
    assert {function.__name__ for function in used} == written


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_scores_each_unit(criterion: str) -> None:
    net = network()
    layers = find_layers(net)
    scores = score_units(net, layers, criterion, batches(1), 0, nn.functional.cross_entropy)
    assert [len(score) for score in scores] == [layer.units for layer in layers]
    assert all(bool(score.isfinite().all()) for score in scores)


def test_random_scores_are_torchs_from_the_seed() -> None:
    layers = find_layers(network())[:2]
    scores = score_units(network(), layers, "random", (), 7, nn.functional.cross_entropy)
    draw = torch.Generator().manual_seed(7)
    assert all(
        torch.equal(score, torch.rand(layer.units, generator=draw)) for score, layer in zip(scores, layers, strict=True)
    )


def test_the_best_stay_in_their_order_and_of_equals_the_first() -> None:
    assert best_units(torch.tensor([3.0, 1.0, 2.0, 5.0]), 2).tolist() == [0, 3]
    assert best_units(torch.ones(6), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "units", "share", "gone"),
    [
        ("hidden", 127, 0.5, 127 - round(127 * 0.5)),
        ("hidden", 128, 0.49, 64),
        ("hidden", 128, 1.0, 120),
        ("mid", 10, 1.0, 9),
        ("mid", 10, 0.0, 0),
        ("heads", 4, 0.5, 2),
        ("heads", 4, 0.49, 1),
        ("heads", 10, 0.3, 3),
        ("heads", 100, 0.29, 29),
        ("heads", 4, 1.0, 3),
        ("heads", 1, 0.9, 0),
    ],
)
def test_a_layer_gives_whole_heads_and_wide_ones_whole_eights(kind: Any, units: int, share: float, gone: int) -> None:
    assert drop_at(Layer(kind, 1, 0, nn.Identity(), units, 1.0), share) == gone


@pytest.mark.parametrize(("units", "round_to", "left"), [(512, 32, 416), (128, 32, 96), (127, 32, 102), (128, 64, 102)])
def test_wide_layers_keep_a_multiple_of_what_was_asked(units: int, round_to: int, left: int) -> None:
    layer = Layer("hidden", 1, 0, nn.Identity(), units, 1.0, round_to=round_to)
    assert units - drop_at(layer, 0.2) == left
    net = network(56, None, **TINY)
    assert {layer.round_to for layer in find_layers(net, round_to=16)} == {16}


@pytest.mark.parametrize("of", ["params", "macs", "units"])
def test_the_report_says_what_was_and_what_is(of: Any) -> None:
    net = network(56, None, **TINY)
    units = sum(layer.units for layer in find_layers(net))
    before = count_params(net), count_macs(net, 56)
    report = prune_network(net, Prune(ratio=0.2, of=of, criterion="l1"))
    after = count_params(net), count_macs(net, 56)
    assert (report.of, report.asked) == (of, 0.2)
    assert (report.params_before, report.macs_before) == before
    assert (report.params_after, report.macs_after) == after
    left = sum(layer.units for layer in find_layers(net))
    shares = {"params": 1 - after[0] / before[0], "macs": 1 - after[1] / before[1], "units": 1 - left / units}
    assert report.achieved == pytest.approx(shares[of])
    assert isinstance(report.widths, Widths)
    assert report.to_json()["widths"]["mid"] == report.widths.mid


def test_costs_in_multiply_adds_are_those_of_a_unit() -> None:
    net = network()
    for layer in find_layers(net, "macs"):
        if layer.kind == "hidden":
            side = net.shape.stages[layer.stage].side
            assert layer.cost == pytest.approx(2 * net.shape.stages[layer.stage].dim * side**2)
    assert {layer.cost for layer in find_layers(net, "units")} == {1.0}
    assert [(layer.kind, layer.stage, layer.block) for layer in find_layers(net)][:3] == [
        ("mid", 0, 0),
        ("heads", 1, 0),
        ("hidden", 1, 0),
    ]


def test_a_large_share_needs_heads_beyond_the_asked_part() -> None:
    """Where the narrow units do not suffice, each layer gives more of its heads than the share; the rest is refused."""
    net = network(56, None, **TINY)
    most = prune_network(copy.deepcopy(net), Prune(ratio=0.75, criterion="l1"))
    assert most.achieved == pytest.approx(0.75, abs=0.02)


def test_frozen_parameters_stay_frozen_and_all_are_leaves() -> None:
    net = network()
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.ndim > 1)
    prune_network(net, Prune(ratio=0.2, criterion="l1"))
    assert all(value.requires_grad == (value.ndim > 1) and value.is_leaf for value in net.parameters())


def test_the_criterion_asks_the_loss_that_is_given() -> None:
    asked: list[int] = []

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        asked.append(len(labels))
        return logits.square().mean()

    prune_network(network(56, None, **TINY), Prune(ratio=0.2), batches(2), loss=loss)
    assert asked == [4, 4]
