"""A foretold latency is the sum of the pieces times a factor, and its error that of networks outside the fit."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.core.latency.pieces import all_pieces, record_pass
from engine.core.latency.predict import REFERENCES, error_of, factor_of, predict, predict_network
from engine.core.latency.table import Times, Whole
from engine.core.network.build import build_network
from tests.core.latency.networks import WHOLES, made_up, made_up_times, small

TWICE = [Whole(seconds=2.0, summed=1.0), Whole(seconds=4.0, summed=2.0), Whole(seconds=6.0, summed=3.0)]


def test_the_factor_is_what_sums_lack() -> None:
    assert factor_of(TWICE) == pytest.approx(2.0)
    assert error_of(TWICE) == pytest.approx(0.0, abs=1e-12)


def test_the_error_is_of_each_foretold_by_the_others() -> None:
    """With factors 1, 1 and 4 the others' are 2, 2 and 1: off by 100 %, 100 % and 75 %."""
    wholes = [Whole(seconds=value, summed=1.0) for value in (1.0, 1.0, 4.0)]
    assert error_of(wholes) == pytest.approx(1.0)
    assert error_of([*wholes[:2], Whole(seconds=1.0, summed=1.0)]) == pytest.approx(0.0)


def test_a_prediction_is_the_sum_times_the_factor() -> None:
    times = Times(pieces={"a": 1.0, "b": 10.0}, wholes=dict(zip("xyz", TWICE, strict=True)))
    told = predict(Counter({"a": 3, "b": 1}), times)
    assert told is not None
    assert told.seconds == pytest.approx(26.0)


@pytest.mark.parametrize("wholes", [{}, dict(zip("xy", TWICE[:2], strict=True))])
def test_without_references_nothing_is_said(wholes: dict[str, Whole]) -> None:
    assert predict(Counter({"a": 1}), Times(pieces={"a": 1.0}, wholes=wholes)) is None


def test_of_a_piece_that_nobody_timed_nothing_is_said() -> None:
    assert predict(Counter({"a": 1, "b": 1}), Times(pieces={"a": 1.0}, wholes=WHOLES)) is None


def test_a_network_is_told_from_its_shape() -> None:
    network = build_network(small(), 10, 32)
    pieces = all_pieces(record_pass(network, 32, 1, "fp32"))
    told = predict_network(network, 32, made_up_times(pieces))
    assert told is not None
    summed = sum(made_up(piece) * often for piece, often in pieces.items())
    assert told.seconds == pytest.approx(factor_of(list(WHOLES.values())) * summed)


def test_no_unseen_network_of_the_benchmark_is_a_reference() -> None:
    from benchmarks.latency import UNSEEN

    names = " ".join(UNSEEN).lower().replace("-", "_")
    seen = {(one.network.arch.removeprefix("timm/"), one.image_size) for one in REFERENCES.values()}
    assert ("tiny_vit_5m", 224) not in seen
    assert not any(arch in names for arch, _ in seen if arch != "tiny_vit_5m")
