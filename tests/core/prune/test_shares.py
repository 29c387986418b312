"""Shares: how many units each layer gives up is met within a point, or refused with the nearest."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.core.network.units import Layer
from engine.core.prune.shares import MET, cost_of, plan_drops, rank_drops
from engine.errors import JobError


def layer(kind: Any, units: int, cost: float = 1.0, block: int = 0) -> Layer:
    return Layer(kind, 1, block, nn.Identity(), units, cost, f"{kind}.{block}")


LAYERS = [layer("heads", 4, 300.0), layer("hidden", 256, 9.0), layer("mid", 100, 5.0), layer("hidden", 64, 17.0, 1)]
TOTAL = sum(one.cost * one.units for one in LAYERS)


def drops_of(ratio: float, *, has_scores: bool) -> list[int] | JobError:
    scores = [torch.rand(one.units, generator=torch.Generator().manual_seed(3)) for one in LAYERS]
    try:
        return rank_drops(LAYERS, scores, ratio, TOTAL) if has_scores else plan_drops(LAYERS, ratio, TOTAL)
    except JobError as error:
        return error


@given(ratio=st.floats(0.01, 0.95), has_scores=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_share_is_met_within_a_point_or_refused(ratio: float, has_scores: bool) -> None:
    drops = drops_of(ratio, has_scores=has_scores)
    if isinstance(drops, JobError):
        assert "ask for" in str(drops.fix)
        return
    assert abs(cost_of(LAYERS, drops) / TOTAL - ratio) <= MET
    assert all(0 <= drop < one.units for one, drop in zip(LAYERS, drops, strict=True))


def test_what_whole_units_cannot_give_is_refused_with_the_nearest() -> None:
    with pytest.raises(JobError, match=r"whole units come no nearer than 50\.0%") as caught:
        plan_drops([layer("heads", 2, 1.0), layer("heads", 2, 1.0, 1)], 0.4, 4.0)
    assert caught.value.fix == "ask for 0.500"


def test_one_head_stays_and_more_than_lies_in_units_is_refused() -> None:
    with pytest.raises(JobError, match="only 0% lies in units that can go") as caught:
        plan_drops([layer("heads", 1, 10.0)], 0.2, 100.0)
    assert caught.value.fix == "leave prune away here"
    with pytest.raises(JobError, match="only 97% lies in units") as caught:
        plan_drops([layer("hidden", 128 * 4, 1.0)], 0.985, 520.0)
    assert caught.value.fix == "ask for at most 0.96"


def test_the_lowest_of_all_layers_of_a_kind_go_first() -> None:
    layers = [layer("mid", 10), layer("mid", 10, block=1), layer("heads", 4)]
    scores = [torch.arange(10.0), 100 + torch.arange(10.0), torch.arange(4.0)]
    assert rank_drops(layers, scores, 0.25, 24.0) == [5, 0, 1]


def test_no_layer_is_emptied_by_a_ranking() -> None:
    layers = [layer("mid", 10), layer("mid", 10, block=1)]
    drops = rank_drops(layers, [torch.zeros(10), torch.ones(10)], 0.5, 20.0)
    assert drops[0] < 10
    assert cost_of(layers, drops) == 10
