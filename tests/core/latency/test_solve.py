"""A share of latency: the widths that come out take what was asked, or the nearest is named. The clock is made up."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from engine.core.latency.pieces import all_pieces, record_pass
from engine.core.latency.predict import sum_pieces
from engine.core.latency.solve import Pass, solve_drops
from engine.core.network.build import build_network
from engine.core.prune.shares import MET
from engine.core.prune.structured import find_layers, narrowed
from engine.errors import JobError
from engine.spec import Student
from tests.core.latency.networks import SMALL, SPARSE, made_up, made_up_times

FAMILIES: dict[str, dict[str, Any]] = {
    "window": SMALL,
    "sparse": SPARSE,
    "mobilenet": {"arch": "timm/mobilenetv3_small_100"},
    "resnet": {"arch": "timm/resnet10t"},
}


def seconds(network: Any, size: int) -> float:
    pieces = all_pieces(record_pass(network, size, 1, "fp32"))
    return sum_pieces(pieces, {piece: made_up(piece) for piece in pieces})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_of_the_solved_widths_takes_what_was_asked(family: str) -> None:
    network = build_network(Student.model_validate(FAMILIES[family]), 10, 64)
    whole, cut = seconds(network, 64), copy.deepcopy(network)
    found = solve_drops(network, find_layers(network), 0.1, Pass(64), made_up_times)
    narrowed(cut, find_layers(cut), found.drops)
    assert 1 - seconds(cut, 64) / whole == pytest.approx(found.share)
    assert abs(found.share - 0.1) <= MET
    assert seconds(network, 64) == whole, "the network itself stays as it is"


def test_a_width_that_kernels_do_not_like_is_learnt() -> None:
    """Between the widths that were timed first, any other one costs more than the lines between them say."""
    network = build_network(Student.model_validate(SMALL), 10, 64)
    asked: list[set[str]] = []

    def timer(pieces: Any) -> Any:
        asked.append(set(pieces))
        times = made_up_times(pieces)
        if len(asked) > 1:
            new = asked[-1] - asked[0]
            times = times.model_copy(update={"pieces": {**times.pieces, **{one: 1.1 * made_up(one) for one in new}}})
        return times

    found = solve_drops(network, find_layers(network), 0.1, Pass(64), timer)
    assert abs(found.share - 0.1) <= MET


def test_more_than_lies_in_units_is_refused_with_the_most() -> None:
    network = build_network(Student.model_validate(SMALL), 10, 64)
    with pytest.raises(JobError, match=r"^prune.ratio 0.95: only \d+% lies in units that can go") as caught:
        solve_drops(network, find_layers(network), 0.95, Pass(64), made_up_times)
    most = float(str(caught.value.fix).removeprefix("ask for at most "))
    assert solve_drops(network, find_layers(network), most - MET, Pass(64), made_up_times).share > most - 2 * MET


def test_a_layer_of_a_single_unit_stays() -> None:
    network = build_network(Student.model_validate({**SMALL, "heads": [1, 1, 1, 1]}), 10, 64)
    layers = find_layers(network)
    found = solve_drops(network, layers, 0.1, Pass(64), made_up_times)
    assert all(drop == 0 for drop, layer in zip(found.drops, layers, strict=True) if layer.units == 1)
