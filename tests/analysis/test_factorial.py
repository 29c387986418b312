"""Effects of crossed factors: against least squares of statsmodels, by hand, and where seeds or arms are missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from engine.analysis.crossed import crossed_interval
from engine.analysis.factorial import Effect, contrasts, measure_effects, read_factorials
from engine.analysis.grids import Factor, Grid
from engine.analysis.statistics import holm, p_of, t_interval
from tests.analysis.answering import Answers, image_row
from tests.analysis.test_compare import run_row


def grid_of(*counts: int) -> Grid:
    """A full grid with so many levels on each factor; the arm at (0, 1) is `arm-01`."""
    factors = tuple(
        Factor(f"f{at}", tuple(f"{'abc'[at]}{level}" for level in range(count))) for at, count in enumerate(counts)
    )
    cells = product(*(range(count) for count in counts))
    return Grid(factors, {cell: "arm-" + "".join(map(str, cell)) for cell in cells})


def values_of(grid: Grid, seeds: int = 5) -> dict[str, dict[int, float]]:
    draw = np.random.default_rng(7)
    return {arm: {seed: float(draw.uniform(0.4, 0.8)) for seed in range(seeds)} for arm in grid.arms.values()}


def by_levels(effects: Sequence[Effect]) -> dict[tuple[str, ...], Effect]:
    return {tuple(level for _, level, _ in effect.levels): effect for effect in effects}


def test_a_square_gives_two_main_effects_and_one_interaction_by_hand() -> None:
    values = {
        "arm-00": {0: 0.50, 1: 0.52}, "arm-01": {0: 0.60, 1: 0.66},
        "arm-10": {0: 0.54, 1: 0.60}, "arm-11": {0: 0.58, 1: 0.56},
    }  # fmt: skip
    found = by_levels(measure_effects(grid_of(2, 2), values))
    assert list(found) == [("a1",), ("b1",), ("a1", "b1")]
    # seed 0: (0.54 + 0.58 - 0.50 - 0.60) / 2, seed 1: (0.60 + 0.56 - 0.52 - 0.66) / 2
    assert found["a1",].interval.mean == pytest.approx((0.01 - 0.01) / 2)
    assert found["b1",].interval.mean == pytest.approx((0.07 + 0.05) / 2)
    assert found["a1", "b1"].interval.mean == pytest.approx((-0.06 + -0.18) / 2)
    expected = t_interval([-0.06, -0.18])
    assert found["a1", "b1"].interval.low == pytest.approx(expected.low)
    assert found["a1", "b1"].interval.high == pytest.approx(expected.high)
    assert [effect.is_interaction for effect in found.values()] == [False, False, True]
    assert found["a1",].levels == (("f0", "a1", "a0"),)


@pytest.mark.parametrize("counts", [(2, 2), (3, 2), (2, 2, 2), (3, 6)])
def test_effects_are_those_of_least_squares(counts: tuple[int, ...]) -> None:
    """Treatment coding of the contrasts: the saturated model of the cell means has the interactions as coefficients."""
    import pandas
    import statsmodels.formula.api as formulas

    grid = grid_of(*counts)
    values = values_of(grid)
    rows: dict[str, list[Any]] = {"y": [], **{factor.name: [] for factor in grid.factors}}
    for cell, arm in grid.arms.items():
        for value in values[arm].values():
            rows["y"].append(value)
            for factor, level in zip(grid.factors, cell, strict=True):
                rows[factor.name].append(factor.levels[level])
    fitted = (
        formulas.ols("y ~ " + " * ".join(factor.name for factor in grid.factors), pandas.DataFrame(rows)).fit().params
    )
    found = by_levels(measure_effects(grid, values))
    highest = {key: one for key, one in found.items() if len(key) == len(counts)}
    for levels, effect in highest.items():
        name = ":".join(f"{factor.name}[T.{level}]" for factor, level in zip(grid.factors, levels, strict=True))
        assert effect.interval.mean == pytest.approx(fitted[name], abs=1e-9)
    means = {cell: np.mean(list(values[arm].values())) for cell, arm in grid.arms.items()}
    for at, factor in enumerate(grid.factors):
        for level in range(1, len(factor.levels)):
            sides = [np.mean([mean for cell, mean in means.items() if cell[at] == side]) for side in (level, 0)]
            assert found[factor.levels[level],].interval.mean == pytest.approx(sides[0] - sides[1])


def test_main_effects_come_before_interactions() -> None:
    sizes = [len(about) for about, _ in contrasts(grid_of(2, 3, 2))]
    assert sizes == sorted(sizes)
    assert (sizes.count(1), sizes.count(3)) == (4, 2)


def test_weights_of_every_effect_cancel() -> None:
    for _, weights in contrasts(grid_of(3, 2, 2)):
        assert sum(weights.values()) == pytest.approx(0)
        assert sum(abs(weight) for weight in weights.values() if weight > 0) == pytest.approx(
            sum(abs(weight) for weight in weights.values() if weight < 0)
        )


def test_only_seeds_that_all_arms_have_count() -> None:
    values = values_of(grid_of(2, 2))
    del values["arm-01"][0], values["arm-10"][3]
    assert {effect.interval.n for effect in measure_effects(grid_of(2, 2), values)} == {3}


def test_without_a_common_seed_there_is_no_effect() -> None:
    values = values_of(grid_of(2, 2), seeds=1)
    assert all(effect.p is None and effect.interval.low is None for effect in measure_effects(grid_of(2, 2), values))
    values["arm-11"] = {9: 0.5}
    assert measure_effects(grid_of(2, 2), values) == []
    del values["arm-11"]
    assert measure_effects(grid_of(2, 2), values) == []


def test_p_is_adjusted_over_all_effects() -> None:
    effects = measure_effects(grid_of(2, 3), values_of(grid_of(2, 3)))
    assert [effect.adjusted_p for effect in effects] == holm([effect.p for effect in effects if effect.p is not None])
    assert any(effect.adjusted_p != effect.p for effect in effects)


def row(arm: str, seed: int, top1: float | None, cell: str, **more: Any) -> dict[str, Any]:
    teacher = {"arch": "timm/next"} if arm[1] == "1" else {"arch": "timm/clip"}
    kind = "longformer" if arm[0] == "1" else "window"
    settings = {"student": {"attention": {"kind": kind}}, "teacher": teacher, "data": {"split": cell}}
    told = {"cell": cell, "settings": json.dumps(settings), "final_job": f"train-{arm}-{seed}", **more}
    return run_row(arm, seed, **{"test_top1": top1, **told})


def answers(rows: Mapping[str, Sequence[Mapping[str, Any]]], images: Sequence[Mapping[str, Any]] = ()) -> Any:
    return Answers(answer=lambda query, values: rows[values["arm"]] if query == "compare_runs" else images)


def test_effects_are_over_seeds_and_test_images() -> None:
    draw = np.random.default_rng(5)
    right = {arm: draw.random((3, 60)) < 0.5 + 0.2 * (arm == "11") for arm in ("00", "01", "10", "11")}
    rows = {arm: [row(arm, seed, float(right[arm][seed].mean()), "one") for seed in range(3)] for arm in right}
    images = [
        image_row(f"train-{arm}-{seed}", told[seed], range(60), [0] * 60)
        for arm, told in right.items() for seed in range(3)
    ]  # fmt: skip
    (found,) = read_factorials(answers(rows, images), "paper", list(rows), "00")
    a, b, c, d = (right[arm].astype(float) for arm in ("00", "01", "10", "11"))
    expected = [(c + d - a - b) / 2, (b + d - a - c) / 2, d - c - b + a]
    assert [effect.interval for effect in found.effects] == [crossed_interval(table) for table in expected]
    assert [effect.p for effect in found.effects] == [p_of(effect.interval) for effect in found.effects]
    images[0] = image_row("train-00-0", right["00"][0], range(1, 61), [0] * 60)
    (apart,) = read_factorials(answers(rows, images), "paper", list(rows), "00")
    assert {effect.interval.over for effect in apart.effects} == {"seeds"}


def test_an_effect_says_what_was_not_held_equal() -> None:
    rows = {arm: [row(arm, seed, 0.5 + seed / 10, "one") for seed in range(3)] for arm in ("00", "01", "10", "11")}
    (fair,) = read_factorials(answers(rows), "paper", list(rows), "00")
    assert {effect.note for effect in fair.effects} == {""}
    for one in rows["10"]:
        one["code"] = "d"
    (unfair,) = read_factorials(answers(rows), "paper", list(rows), "00")
    assert [effect.note for effect in unfair.effects] == [
        "not held equal: the code is d against c", "not held equal: the code is c against d",
        "not held equal: the code is d against c",
    ]  # fmt: skip


def test_each_point_of_the_matrix_has_its_effects_and_p_holds_over_all() -> None:
    draw = np.random.default_rng(3)
    arms = ["00", "01", "10", "11"]
    points = ["60/20/20", "80/10/10"]
    rows = {
        arm: [row(arm, seed, float(draw.uniform(0.4, 0.6)), point) for point in points for seed in range(3)]
        for arm in arms
    }
    found = read_factorials(answers(rows), "paper", arms, "00")
    assert [one.cell for one in found] == points
    ps = [effect.p for one in found for effect in one.effects]
    assert len(ps) == 6
    assert [effect.adjusted_p for one in found for effect in one.effects] == holm([p for p in ps if p is not None])


def test_a_diverged_or_missing_seed_is_left_out() -> None:
    rows = {arm: [row(arm, seed, 0.5 + seed / 10, "one") for seed in range(4)] for arm in ("00", "01", "10", "11")}
    rows["01"][0]["test_top1"], rows["10"][1]["test_top1"] = None, float("nan")
    (found,) = read_factorials(answers(rows), "paper", list(rows), "00")
    assert {effect.interval.n for effect in found.effects} == {2}


def test_arms_without_a_grid_have_no_effects() -> None:
    rows = {arm: [row(arm, seed, 0.5, "one") for seed in range(4)] for arm in ("00", "01", "10")}
    assert read_factorials(answers(rows), "paper", list(rows), "00") == []
