"""Draws: what is drawn can be, nothing twice, the same again, and by what is known of the trials before."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any, get_args

import pytest

from engine.load import load_words
from engine.search.decisions import Decision, State, Trial
from engine.search.drawing import draw_next, ordered
from engine.spec.cells import nest_paths
from engine.spec.identity import canonical_json
from engine.spec.search import Axis, Bound, Search
from tests.search.objective import make_spec, value_of

pytest.importorskip("optuna", reason="needs the extra `search`")

SPACE = {
    "student.attention.radius": Axis(int=[1, 3], when={"student.attention.kind": "longformer"}),
    "student.attention.kind": Axis(choice=["window", "longformer"]),
    "train.lr": Axis(log=[1e-4, 1e-2]),
    "student.windows": Axis(choice=[[7, 7, 4, 2], [7, 7, 2, 2]]),
}
SAMPLERS = [name for name in get_args(Search.model_fields["sampler"].annotation) if name not in ("grid", "gp")]


def told(number: int, settings: dict[str, Any], value: float | None, state: State = "done", **more: Any) -> Trial:
    decision = Decision(number, "a", f"a-t{number:03d}", settings, "tpe", "train", 0.0, **more)
    return Trial(decision, state, {} if value is None else {"val_top1": value})


def draw_all(search: Search, count: int) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(count):
        drawn = draw_next(search, "a", trials, number)
        assert drawn is not None
        value = -abs(drawn.settings.get("train.lr", 0.0) - 3e-3)
        trials.append(told(number, drawn.settings, value, marks=drawn.marks))
    return trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_drawn_can_be_and_is_new_and_the_same_again(sampler: Any) -> None:
    search = Search(space=SPACE, sampler=sampler)
    trials = draw_all(search, 15)
    for one in trials:
        drawn = one.decision.settings
        assert all(SPACE[path].holds(value) for path, value in drawn.items())
        assert ("student.attention.radius" in drawn) == (drawn["student.attention.kind"] == "longformer")
    assert len({canonical_json(one.decision.settings) for one in trials}) == 15
    assert [one.decision.settings for one in draw_all(search, 15)] == [one.decision.settings for one in trials]


def test_tpe_looks_where_it_was_good() -> None:
    search = Search(space={"train.lr": Axis(log=[1e-5, 1e-1])})
    late = [one.decision.settings["train.lr"] for one in draw_all(search, 40)][20:]
    near = sum(1e-3 < lr < 9e-3 for lr in late)
    assert near > 10, "a draw by chance falls there in one of four"


def test_a_grid_is_gone_through_once() -> None:
    space = {"student.attention.kind": SPACE["student.attention.kind"],
             "student.attention.radius": SPACE["student.attention.radius"]}  # fmt: skip
    search = Search(space=space, sampler="grid")
    trials = draw_all(search, 4)
    assert len({canonical_json(one.decision.settings) for one in trials}) == 4, "window, and three radii"
    assert draw_next(search, "a", trials, 4) is None


def test_what_is_tried_first_comes_first_and_the_rest_is_drawn() -> None:
    search = Search(space=SPACE, prior=[{"train.lr": 2e-3}, {"train.lr": 5e-3}])
    first, second, third = draw_all(search, 3)
    assert first.decision.settings["train.lr"] == 2e-3
    assert second.decision.settings["train.lr"] == 5e-3
    assert third.decision.settings["train.lr"] not in (2e-3, 5e-3)
    assert first.decision.settings.keys() >= {"train.lr", "student.windows", "student.attention.kind"}


def test_failed_open_and_refused_trials_are_told_too() -> None:
    search = Search(space=SPACE, constraint={"params": {"below": 5.0}})  # type: ignore[dict-item]  # as a file says it
    base = {"student.attention.kind": "window", "student.windows": [7, 7, 4, 2]}
    trials = [told(0, {**base, "train.lr": 1e-3}, None, "failed"), told(1, {**base, "train.lr": 2e-3}, None, "open"),
              Trial(told(2, {**base, "train.lr": 3e-3}, None).decision, "refused", {"params": 9.0})]  # fmt: skip
    assert draw_next(search, "a", trials, 3) is not None


def test_an_axis_comes_after_those_it_waits_for() -> None:
    assert list(ordered(SPACE)).index("student.attention.kind") < list(ordered(SPACE)).index("student.attention.radius")


def least_regret(sampler: str, seed: int, count: int) -> float:
    """Return how far the best of `count` trials is from the best there is: seven axes, one of which is conditional."""
    search = load_words(make_spec(sampler=sampler, seed=seed)).search
    assert search is not None
    trials: list[Trial] = []
    for number in range(count):
        drawn = draw_next(search, "a", trials, number)
        assert drawn is not None
        trials.append(told(number, drawn.settings, value_of(as_job(drawn.settings))))
    return 1.0 - max(one.values["val_top1"] for one in trials)


def as_job(drawn: dict[str, Any]) -> dict[str, Any]:
    """Return drawn settings as a training's spec.json has them."""
    tree = nest_paths(drawn)
    return {"train": tree["train"], "data": tree["data"], "network": tree["student"]}


@pytest.mark.slow
def test_tpe_beats_chance_with_seven_axes() -> None:
    regrets = {name: [least_regret(name, seed, 60) for seed in range(5)] for name in ("tpe", "random")}
    assert statistics.median(regrets["tpe"]) < statistics.median(regrets["random"]) / 3
    assert all(ours < chance for ours, chance in zip(regrets["tpe"], regrets["random"], strict=True))


def test_a_network_that_was_measured_and_refused_is_not_drawn_again() -> None:
    search = Search(space=SPACE, constraint={"params": Bound(below=5.0)}, sampler="random")
    wide = {"student.attention.kind": "window", "student.windows": [7, 7, 4, 2], "train.lr": 1e-3}
    free = [drawn.settings for at in range(60) if (drawn := draw_next(search, "a", [], at)) is not None]
    assert any(one["student.attention.kind"] == "window" and one["student.windows"] == [7, 7, 4, 2] for one in free)
    refused = replace(told(0, wide, None, "refused"), values={"params": 9.0})
    held = [drawn.settings for at in range(60) if (drawn := draw_next(search, "a", [refused], at)) is not None]
    assert len(held) == 60
    assert not any(one["student.attention.kind"] == "window" and one["student.windows"] == [7, 7, 4, 2] for one in held)


def test_a_space_of_networks_that_are_all_refused_is_used_up() -> None:
    search = Search(space={"student.windows": SPACE["student.windows"], "train.lr": SPACE["train.lr"]},
                    constraint={"params": Bound(below=5.0)})  # fmt: skip
    trials = [
        replace(told(at, {"student.windows": windows, "train.lr": 1e-3}, None, "refused"), values={"params": 9.0})
        for at, windows in enumerate(SPACE["student.windows"].values)
    ]
    assert draw_next(search, "a", trials, 2) is None, "another rate makes no network smaller"
