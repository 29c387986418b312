"""The share that widths save is of the rounds' ratios."""

from __future__ import annotations

import pytest

from engine.run.latency_check import check_widths, saved_share
from tests.run.bench import NETWORK


def test_a_share_is_what_the_pruned_does_not_take() -> None:
    found = saved_share([10.0, 20.0, 40.0], [8.0, 16.0, 32.0])
    assert found == {"value": pytest.approx(0.2), "p5": pytest.approx(0.2), "p95": pytest.approx(0.2), "n": 3}


def test_its_edges_are_those_of_the_rounds() -> None:
    found = saved_share([10.0, 10.0, 10.0], [7.0, 8.0, 9.0])
    assert found["p5"] < found["value"] < found["p95"]
    assert (found["p5"], found["p95"]) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.3, abs=0.02))


@pytest.mark.slow
def test_both_networks_are_timed_in_each_round() -> None:
    widths = {"mid": [4], "heads": [[1], [1], [1]], "hidden": [[8], [16], [16]]}
    about = {"network": NETWORK, "outputs": 10, "image_size": 24, "threads": 1, "precision": "fp32", "widths": widths}
    found = check_widths(about)
    assert found["n"] == len(found["rounds"]["whole"]) == len(found["rounds"]["left"])
    assert found["value"] < 1
