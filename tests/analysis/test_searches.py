"""What was tried, from rows written by hand: who counts, who is best, and what it cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.analysis.searches import chosen_by, directions, gather_searches, read_search
from engine.spec.search import Search
from tests.report.searching import SPACE, gathered, searched_rows, trial_row, trials_of


def best_of(*rows: dict[str, Any], **search: Any) -> list[int]:
    (arm,) = gathered(rows, **search).arms
    return [one.trial for one in arm.best]


def test_best_is_the_highest_that_counts_and_of_equals_the_first() -> None:
    assert best_of(*trials_of("a", 0.5, 0.7, None, 0.7)) == [1]
    assert best_of(*trials_of("a", 0.5, 0.7, 0.6), direction="min") == [0]
    assert best_of(trial_row("a", 0, 0.9, state="running"), trial_row("a", 1, 0.1)) == [1]
    assert best_of(trial_row("a", 0, float("nan")), trial_row("a", 1, 0.1)) == [1]
    assert best_of() == []


def test_a_broken_bound_does_not_count_and_an_unknown_figure_breaks_none() -> None:
    rows = [trial_row("a", at, 0.5 + at / 10, figures={"macs": macs}) for at, macs in enumerate([90, None, 200])]
    assert best_of(*rows, constraint={"macs": {"below": 100}}) == [1]


def test_front_of_several_metrics_minds_their_directions() -> None:
    figures = [(0.5, 90), (0.6, 100), (0.55, 120), (0.7, 200)]
    rows = [trial_row("a", at, value, figures={"macs": macs}) for at, (value, macs) in enumerate(figures)]
    assert best_of(*rows, metric=["val_top1", "macs"]) == [0, 1, 3]
    assert best_of(*rows, metric=["val_top1", "macs"], direction=["max", "max"]) == [3]


def test_only_the_longest_trials_are_compared() -> None:
    rows = [trial_row("a", at, 0.9 - at / 10, epochs=1.0) for at in range(3)]
    rows += [trial_row("a", 2, 0.75, rung=1, trial_arm="a-t002-e3"), trial_row("a", 1, rung=1, state="running")]
    (arm,) = gathered(rows, fidelity={"epochs": [1, 3]}).arms
    assert [one.trial for one in arm.best] == [2]
    assert [one.name for one in arm.best] == ["a-t002-e3"]
    assert arm.states == ["done", "open", "done"], "each trial once"


def test_refused_trials_are_not_spent_and_an_exhausted_draw_is_no_trial() -> None:
    rows = [
        *trials_of("a", 0.5, None),
        trial_row("a", 2, refused="no"),
        trial_row("a", 3, refused="no", why="exhausted"),
    ]
    (arm,) = gathered(rows).arms
    assert (arm.spent, arm.count("done"), arm.count("failed"), arm.count("refused")) == (2, 1, 1, 1)
    assert arm.is_exhausted


def test_a_training_is_paid_for_once_and_each_gpu_counts() -> None:
    rows = [
        trial_row("a", 0, 0.5, job="one", seconds=10.0, gpus=2),
        trial_row("a", 1, 0.6, job="one", seconds=10.0, gpus=2),
        trial_row("a", 2, 0.7, job="two", seconds=5.0), trial_row("a", 3, 0.7, job="none", seconds=None),
    ]  # fmt: skip
    (arm,) = gathered(rows).arms
    assert arm.costs == [20.0, 0.0, 5.0, 0.0]
    assert sum(one.spent for one in arm.work) == 25.0


def test_arms_are_those_that_are_searched() -> None:
    found = gathered(trials_of("a", 0.5), arms=("a", "b", "c"), spaces={"b": None, "c": {"train.wd": {"log": [1, 2]}}})
    assert [arm.arm for arm in found.arms] == ["a", "c"]
    assert list(found.unsearched) == ["b"]
    assert set(found.arms[1].space) == {*SPACE, "train.wd"}


def test_one_arm_without_a_name_has_that_of_the_experiment() -> None:
    rows = searched_rows(trials_of("x", 0.5), arms=())
    found = gather_searches(json.loads(rows.about["spec"]), rows.searches, rows.trials)
    assert found is not None
    assert [len(arm.tried) for arm in found.arms] == [1]


def test_what_searches_nothing_or_in_unknown_words_has_no_search() -> None:
    told = [{"asked": 1, "stopped": False}]
    space = {"train.lr": {"log": [1, 2]}}
    for spec in (
        {},
        {"search": {"space": {"train.lr": {"sqrt": [1, 2]}}}},
        {"search": {"space": space, "metric": "zz"}},
    ):
        assert gather_searches({"name": "x", **spec}, told, ()) is None
    assert gather_searches({"name": "x", "search": {"space": space}}, (), ()) is None, "its record was not searched"
    assert chosen_by(None) == []
    assert chosen_by(read_search({"search": {"space": space, "constraint": {"macs": {"below": 1}}}})) == [
        "macs", "val_top1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "direction", "ways"),
    [("val_top1", None, ["max"]), (["val_loss", "macs"], None, ["min", "min"]), ("macs", "max", ["max"]),
     (["val_top1", "macs"], ["min", "max"], ["min", "max"])],
)  # fmt: skip
def test_directions_are_told_or_those_of_the_metric(metric: Any, direction: Any, ways: list[str]) -> None:
    search = Search.model_validate({"space": {"train.lr": {"log": [1, 2]}}, "metric": metric, "direction": direction})
    assert directions(search) == ways
