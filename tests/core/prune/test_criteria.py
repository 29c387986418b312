"""Criteria: FPGM, and scores that can be compared over layers; the others are tried in test_structured.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from engine.core.network.build import build_network
from engine.core.network.units import by_unit, incoming, list_layers
from engine.core.prune.criteria import CRITERIA, even_scores, score_units
from engine.core.prune.structured import prune_network
from engine.spec import Prune
from tests.core.network.nets import network, student
from tests.core.prune.test_structured import batches

CE = nn.functional.cross_entropy


def test_fpgm_is_the_sum_of_distances_to_the_other_units() -> None:
    layers = list_layers(network())
    for layer, score in zip(layers, score_units(network(), layers, "fpgm", (), 0, CE), strict=True):
        rows = incoming(layer).detach()
        wanted = torch.stack([(rows - row).norm(dim=1).sum() for row in rows])
        torch.testing.assert_close(score, wanted, rtol=1e-6, atol=1e-6)


def test_a_unit_that_another_repeats_goes_first_by_fpgm() -> None:
    net = network()
    layer: Any = next(layer for layer in list_layers(net) if layer.kind == "hidden")
    with torch.no_grad():
        layer.module.fc1.weight[: layer.units // 2] = layer.module.fc1.weight.mean(0)
    (score,) = score_units(net, [layer], "fpgm", (), 0, CE)
    assert int(score.argmin()) < layer.units // 2


@pytest.mark.parametrize("criterion", CRITERIA)
def test_scores_of_all_layers_are_on_one_scale(criterion: str) -> None:
    scores = [torch.tensor([1.0, 3.0]), torch.tensor([10.0, 30.0])]
    even = even_scores(scores, criterion)
    if CRITERIA[criterion].is_comparable:
        assert even == scores
    else:
        torch.testing.assert_close(even[0], even[1])


def test_taylor_counts_all_that_reads_a_unit() -> None:
    """Of a block with squeeze-and-excitation two layers read the units."""
    net = build_network(student("timm/mobilenetv3_small_050"), 4, 32).double().eval()
    layer = next(layer for layer in list_layers(net) if len(layer.of_side("in")) == 2)
    images = batches(1)[0][0][:, :, :32, :32]
    labels = torch.arange(4)
    weights = [part.weight for part in layer.of_side("in")]
    grads = torch.autograd.grad(CE(net(images), labels), weights)
    wanted = sum((by_unit(layer, w.detach()) * by_unit(layer, g)).sum(1) for w, g in zip(weights, grads, strict=True))
    (score,) = score_units(net, [layer], "taylor", [(images, labels)], 0, CE)
    torch.testing.assert_close(score, wanted.abs(), rtol=1e-9, atol=1e-15)  # type: ignore[union-attr]


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_meets_the_share_in_both_scopes(criterion: str, scope: Any) -> None:
    report = prune_network(network(), Prune(ratio=0.2, criterion=criterion, scope=scope), batches())
    assert report.achieved == pytest.approx(0.2, abs=0.01)
