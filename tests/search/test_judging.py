"""The best trial, the front, and bounds, on trials made up."""

from __future__ import annotations

import itertools
import random

import pytest

from engine.analysis.searches import directions
from engine.search.decisions import Decision, State, Trial
from engine.search.judging import best_trials, broken_bound, excess
from engine.spec.search import Axis, Bound, Search

SPACE = {"train.lr": Axis(log=[1e-4, 1e-2])}


def trial(number: int, state: State = "done", **values: float) -> Trial:
    decision = Decision(number, "a", f"a-t{number:03d}", {"train.lr": 1e-3}, "tpe", "train", 0.0)
    return Trial(decision, state, values)


def numbers(trials: list[Trial]) -> list[int]:
    return [one.decision.trial for one in trials]


def test_the_best_is_the_first_of_equals_that_keeps_its_bounds() -> None:
    search = Search(space=SPACE, constraint={"params": Bound(below=10.0)})
    trials = [trial(0, val_top1=0.5, params=5), trial(1, val_top1=0.9, params=11), trial(2, val_top1=0.7, params=9),
              trial(3, val_top1=0.7, params=1), trial(4, "failed"), trial(5, "open"), trial(6)]  # fmt: skip
    assert numbers(best_trials(trials, search)) == [2]


def test_less_is_better_where_the_metric_or_the_spec_says_so() -> None:
    trials = [trial(0, val_loss=0.5, val_top1=0.5), trial(1, val_loss=0.1, val_top1=0.9)]
    assert numbers(best_trials(trials, Search(space=SPACE, metric="val_loss"))) == [1]
    assert numbers(best_trials(trials, Search(space=SPACE, metric="val_top1", direction="min"))) == [0]
    assert directions(Search(space=SPACE, metric=["val_top1", "macs"])) == ["max", "min"]


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_nobody_beats(seed: int) -> None:
    draws = random.Random(seed)
    search = Search(space=SPACE, metric=["val_top1", "macs"])
    trials = [trial(at, val_top1=draws.randint(0, 9) / 10, macs=float(draws.randint(0, 9))) for at in range(30)]
    found = best_trials(trials, search)
    for one, other in itertools.product(found, trials):
        better = other.values["val_top1"] >= one.values["val_top1"] and other.values["macs"] <= one.values["macs"]
        assert not (better and other.values != one.values)
    outside = [one for one in trials if one not in found and one.values not in [two.values for two in found]]
    for one in outside:
        assert any(
            other.values["val_top1"] >= one.values["val_top1"] and other.values["macs"] <= one.values["macs"]
            for other in found
        )


def test_a_broken_bound_is_told_with_its_figure() -> None:
    bounds = {"infer_latency": Bound(below=5.0), "val_top1": Bound(above=0.8)}
    assert broken_bound({"infer_latency": 7.0}, bounds) == "infer_latency is 7 ms, not below 5"
    assert broken_bound({"infer_latency": 5.0, "val_top1": 0.7}, bounds) == "val_top1 is 0.7, not above 0.8"
    assert broken_bound({}, bounds) is None
    assert excess({"infer_latency": 7.0, "val_top1": 0.9}, bounds) == pytest.approx(
        {"infer_latency": 2.0, "val_top1": -0.1}
    )
