"""Masks: as many zeros as asked, where the scores are lowest, and they stay."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.core.measure import count_params
from engine.core.prune.masks import (
    GROWN,
    Growth,
    Masks,
    choose_masks,
    lowest,
    mask_sizes,
    maskable,
    score_weights,
    two_of_four_share,
    two_of_four_weights,
)
from engine.errors import JobError
from engine.spec import Prune
from tests.core.network.nets import network
from tests.core.prune.test_structured import batches

CE = nn.functional.cross_entropy


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def masked(net: nn.Module, **words: Any) -> Masks:
    prune = Prune(**{"method": "unstructured", "criterion": "l1", "ratio": 0.3, **words})
    made = Masks(net, choose_masks(net, prune, batches()))
    made.apply()
    return made


@given(ratio=st.floats(0.01, 0.9), scope=st.sampled_from(["layer", "global"]))
@settings(max_examples=20, deadline=None)
def test_zeros_are_the_asked_share_of_all_parameters(ratio: float, scope: Any) -> None:
    net = nn.Sequential(nn.Linear(40, 80), nn.ReLU(), nn.Linear(80, 20))
    made = masked(net, ratio=ratio, scope=scope)
    assert made.zeros / count_params(net) == pytest.approx(ratio, abs=0.01)
    assert made.zeros == sum(int((weight == 0).sum()) for weight in maskable(net).values())


@pytest.mark.parametrize("criterion", ["l1", "l2", "taylor", "random"])
def test_every_criterion_masks_a_tiny_vit(criterion: str) -> None:
    net = network(56, {"bias": "separate"})
    made = masked(net, criterion=criterion)
    assert made.zeros / count_params(net) == pytest.approx(0.3, abs=0.01)
    made.require_zeros()


def test_the_smallest_weights_go_in_each_layer_or_over_all() -> None:
    net = small()
    weights = {name: weight.detach().abs().clone() for name, weight in maskable(net).items()}
    layer, whole = (choose_masks(net, Prune(**_words(scope))) for scope in ("layer", "global"))
    for name, weight in weights.items():
        assert weight[~layer[name]].max() <= weight[layer[name]].min()
    gone = torch.cat([weights[name][~whole[name]] for name in weights])
    assert gone.max() <= min(weights[name][whole[name]].min() for name in weights)


def _words(scope: str) -> dict[str, Any]:
    return {"method": "unstructured", "criterion": "l1", "ratio": 0.3, "scope": scope}


def test_taylor_of_a_weight_is_what_its_going_changes_to_first_order() -> None:
    net = small().double()
    x, y = torch.randn(6, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1])
    (score, _) = score_weights(net, maskable(net), "taylor", [(x, y)], 0, CE).values()
    CE(net(x), y).backward()  # type: ignore[no-untyped-call]
    weight = net[0].weight
    assert isinstance(weight, Tensor)
    assert weight.grad is not None
    torch.testing.assert_close(score, (weight * weight.grad).abs().detach())


@given(outputs=st.integers(1, 5), groups=st.integers(1, 4), kernel=st.sampled_from([None, 1, 3]))
@settings(max_examples=20, deadline=None)
def test_two_of_each_four_along_the_input_stay(outputs: int, groups: int, kernel: int | None) -> None:
    layer = nn.Linear(4 * groups, outputs) if kernel is None else nn.Conv2d(4 * groups, outputs, kernel)
    net = nn.Sequential(layer)
    before = layer.weight.detach().abs().clone()
    made = masked(net, method="2:4", ratio=0.5)
    fours = layer.weight.detach().movedim(1, -1).reshape(-1, 4)
    assert ((fours != 0).sum(1) == 2).all()
    assert two_of_four_share([layer.weight]) == 1.0
    sizes = before.movedim(1, -1).reshape(-1, 4)
    kept = made.kept["0.weight"].movedim(1, -1).reshape(-1, 4)
    assert torch.equal((sizes * kept).sum(1), sizes.sort(1).values[:, 2:].sum(1)) or torch.allclose(
        (sizes * kept).sum(1), sizes.sort(1).values[:, 2:].sum(1)
    )


def test_two_of_four_leaves_out_what_does_not_come_in_fours() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1))
    assert list(two_of_four_weights(net)) == ["2.weight"]
    with pytest.raises(JobError, match="multiple of four"):
        choose_masks(nn.Sequential(nn.Linear(3, 4)), Prune(method="2:4", criterion="l1"))


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.SGD])
def test_zeros_stay_whatever_the_optimizer_does(make: Any) -> None:
    net = small()
    made = masked(net)
    optimizer = make(net.parameters(), lr=0.1, weight_decay=0.1)
    average = {name: weight.detach() + 1 for name, weight in net.state_dict().items()}
    for step in range(1, 4):
        optimizer.zero_grad()
        net(torch.randn(5, 8)).square().sum().backward()
        made.mask_gradients()
        assert all(not made.weights[name].grad[~mask].any() for name, mask in made.kept.items())  # type: ignore[index]
        optimizer.step()
        made.hold(step, average)
    made.require_zeros()
    assert all(not average[name][~mask].any() for name, mask in made.kept.items())


def test_a_weight_that_came_back_is_told() -> None:
    net = small()
    made = masked(net)
    with torch.no_grad():
        net[0].weight.fill_(1.0)  # type: ignore[operator]
    with pytest.raises(JobError, match=r"masked weights of 0\.weight are not zero"):
        made.require_zeros()


def test_a_mask_grows_as_the_cubic_schedule_and_never_shrinks() -> None:
    net = small()
    sizes = {"0.weight": 64, "2.weight": 32}
    made = Masks(
        net, {name: torch.ones_like(one, dtype=torch.bool) for name, one in maskable(net).items()}, Growth(sizes, 100)
    )
    seen = []
    for step in range(1, 101):
        before = {name: mask.clone() for name, mask in made.kept.items()}
        with torch.no_grad():
            for weight in made.weights.values():
                weight.add_(0.01 * torch.randn_like(weight))
        made.hold(step)
        assert all(not (made.kept[name] & ~before[name]).any() for name in before), "what is zero stays zero"
        seen.append(made.zeros)
    assert seen[34] == sum(round(size * (1 - (1 - 35 / (100 * GROWN)) ** 3)) for size in sizes.values())
    assert seen[-1] == seen[69] == 96
    made.require_zeros()


def test_more_than_lies_in_weights_is_refused_with_the_most() -> None:
    net = network()
    scores = {name: weight.detach().abs() for name, weight in maskable(net).items()}
    with pytest.raises(JobError, match="lies in weights that a mask may set to zero") as caught:
        mask_sizes(net, Prune(method="unstructured", criterion="l1", ratio=0.999), scores)
    assert str(caught.value.fix).startswith("ask for at most 0.9")


def test_of_equals_the_first_are_lowest() -> None:
    assert lowest(torch.ones(2, 3), 2).tolist() == [[True, True, False], [False, False, False]]
