"""PED-ANOVA against Optuna's, and what chance gives."""

from __future__ import annotations

import math
import random
import warnings
from typing import Any

import numpy as np
import pytest

from engine.analysis.importance import Importance, density, importances, is_top
from engine.spec.search import Axis

SPACE = {
    "lr": Axis(log=[1e-5, 1e-1]), "decay": Axis.model_validate({"float": [0.0, 1.0]}),
    "step": Axis.model_validate({"float": [0.0, 1.0], "step": 0.3}),
    "odd": Axis.model_validate({"int": [1, 10], "step": 2}),
    "many": Axis.model_validate({"int": [1, 500]}), "kind": Axis(choice=["a", "b", 3]),
    "radius": Axis.model_validate({"int": [1, 3], "when": {"kind": "a"}}),
}  # fmt: skip


def drawn(count: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Draws and figures: lr and radius decide, decay a little, the rest nothing."""
    draw = random.Random(count)
    draws: list[dict[str, Any]] = []
    for _ in range(count):
        one: dict[str, Any] = {"lr": 10 ** draw.uniform(-5, -1), "decay": draw.random()}
        one |= {"step": draw.choice([0.0, 0.3, 0.6, 0.9])}
        one |= {"odd": draw.choice([1, 3, 5, 7, 9]), "many": draw.randint(1, 500), "kind": draw.choice(["a", "b", 3])}
        draws.append(one | ({"radius": draw.randint(1, 3)} if one["kind"] == "a" else {}))
    return draws, [-((math.log10(one["lr"]) + 3) ** 2) - one["decay"] / 3 + one.get("radius", 0) / 2 for one in draws]


@pytest.mark.parametrize("count", [20, 60, 300])
def test_importances_are_those_of_optuna(count: int) -> None:
    optuna = pytest.importorskip("optuna", reason="needs the extra `search`")
    of = optuna.distributions
    kinds = {
        "lr": of.FloatDistribution(1e-5, 1e-1, log=True), "decay": of.FloatDistribution(0, 1),
        "step": of.FloatDistribution(0, 0.9, step=0.3), "odd": of.IntDistribution(1, 9, step=2),
        "many": of.IntDistribution(1, 500), "kind": of.CategoricalDistribution(["a", "b", 3]),
        "radius": of.IntDistribution(1, 3),
    }  # fmt: skip
    draws, figures = drawn(count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction="maximize")
        for one, value in zip(draws, figures, strict=True):
            about = {"params": one, "distributions": {path: kinds[path] for path in one}}
            study.add_trial(optuna.trial.create_trial(value=value, **about))
        wanted = optuna.importance.PedAnovaImportanceEvaluator().evaluate(study)
        shares = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    found = importances(SPACE, draws, figures, shuffles=0)
    assert {one.path: one.divergence for one in found} == pytest.approx(wanted, rel=1e-9)
    assert {one.path: one.share for one in found} == pytest.approx(shares, rel=1e-9)


def by_path(*given: Any, **more: Any) -> dict[str, Importance]:
    return {one.path: one for one in importances(*given, **more)}


def test_what_decides_is_told_apart_from_chance_and_what_does_not_is_not() -> None:
    found = by_path(SPACE, *drawn(120), shuffles=99)
    assert found["lr"].p == pytest.approx(0.01), "none of 99"
    assert min(found[path].p for path in ("step", "odd", "many")) > 0.05
    assert sum(one.share for one in found.values()) == pytest.approx(1.0)


def test_chance_alone_is_called_decisive_as_seldom_as_p_says() -> None:
    """Figures that nothing decides: p below 0.2 comes in about a fifth of them."""
    space, draw = {"decay": SPACE["decay"]}, random.Random(1)
    told = [
        importances(space, [{"decay": draw.random()} for _ in range(25)], [draw.random() for _ in range(25)],
                    shuffles=39, seed=at)[0].p
        for at in range(60)
    ]  # fmt: skip
    assert 0.05 <= np.mean([p <= 0.2 for p in told]) <= 0.4


def test_the_best_are_a_tenth_rounded_up_with_those_as_good_as_the_last() -> None:
    assert is_top(np.arange(21.0)).tolist() == [False] * 18 + [True] * 3
    assert is_top(np.array([1.0, 3.0, 3.0, 2.0])).tolist() == [False, True, True, False]


def test_a_density_is_one_in_all_and_leans_where_places_are() -> None:
    for is_ordered in (True, False):
        found = density(np.array([3, 3, 4]), 10, is_ordered=is_ordered)
        assert np.sum(found) == pytest.approx(1.0)
        assert int(np.argmax(found)) == 3
    assert density(np.array([], dtype=np.int64), 4, is_ordered=True) == pytest.approx(np.full(4, 0.25), abs=0.02)


def test_a_setting_that_no_trial_drew_has_none() -> None:
    found = by_path(SPACE, [{"lr": 1e-3, "kind": "b"}, {"lr": 1e-2, "kind": "b"}], [0.5, 0.6], shuffles=3)
    assert found["radius"].divergence == 0.0
    assert found["radius"].p == 1.0
