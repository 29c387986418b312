"""Main effects and interactions: takes a grid of arms and their accuracy by seed, gives each effect with its interval.

An effect is a linear contrast of the arms of a full grid, with treatment coding: level against reference, averaged
evenly over the other factors (main effect); and how much that difference changes between two levels of another factor
(interaction). Box, Hunter and Hunter, Statistics for Experimenters, chapter 5.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import isfinite, prod

import numpy as np
from numpy.typing import NDArray

from engine.analysis.compare import surround
from engine.analysis.crossed import agreeing_interval, crossed_interval
from engine.analysis.fairness import footnote_text, judge_pair
from engine.analysis.grids import Factor, Grid, find_grid
from engine.analysis.snapshot import Row, Snapshot
from engine.analysis.statistics import Interval, holm, p_of, paired_shares
from engine.analysis.things import Mismatch
from engine.spec.dotted import flatten_settings
from store.metrics import metric_of

Weights = Mapping[str, float]
Values = Mapping[str, Mapping[int, float]]
"""Accuracy by arm and seed, as fractions."""
Right = Mapping[str, Mapping[int, NDArray[np.float64]]]
"""Which of the same test images were told right, as 1 and 0, by arm and seed."""
METRIC = "test_top1"


@dataclass(frozen=True)
class Effect:
    """A contrast of a grid's arms in the metric's unit, over the seeds that all of its arms have.

    `levels` are those of the factors it is about, each as (factor, level, reference); one of them is a main effect.
    """

    levels: tuple[tuple[str, str, str], ...]
    weights: Weights
    interval: Interval
    p: float | None = None
    adjusted_p: float | None = None
    note: str = ""
    """What was not held equal between arms that should differ in the factor alone, and what else a reader must know."""

    @property
    def is_interaction(self) -> bool:
        return len(self.levels) > 1


def contrasts(grid: Grid) -> Iterator[tuple[tuple[tuple[Factor, int], ...], Weights]]:
    """Yield each effect as its factors with the level asked about, and the weight of every arm; main effects first."""
    places = range(len(grid.factors))
    for size in range(1, len(grid.factors) + 1):
        for chosen in combinations(places, size):
            for levels in product(*(range(1, len(grid.factors[place].levels)) for place in chosen)):
                about = tuple((grid.factors[place], level) for place, level in zip(chosen, levels, strict=True))
                yield about, _weights(grid, dict(zip(chosen, levels, strict=True)))


def _weights(grid: Grid, asked: Mapping[int, int]) -> Weights:
    """Return the product of +1 at the level asked about and -1 at the reference, as a mean over the other factors."""
    others = prod(len(factor.levels) for place, factor in enumerate(grid.factors) if place not in asked)
    signs = {arm: prod(_sign(cell[place], level) for place, level in asked.items()) for cell, arm in grid.arms.items()}
    return {arm: sign / others for arm, sign in signs.items() if sign}


def _sign(level: int, asked: int) -> int:
    return 1 if level == asked else -1 if level == 0 else 0


def measure_effects(grid: Grid, values: Values, right: Right | None = None) -> list[Effect]:
    """Return the effects with their intervals over common seeds, and over the test images where `right` has them.

    None where the arms have no seed in common.
    """
    seeds = sorted(set.intersection(*(set(values.get(arm, {})) for arm in grid.arms.values())))
    found = [_effect(about, weights, values, right or {}, seeds) for about, weights in contrasts(grid)] if seeds else []
    return with_holm([one for one in found if one is not None])


def _effect(
    about: Sequence[tuple[Factor, int]], weights: Weights, values: Values, right: Right, seeds: Sequence[int]
) -> Effect | None:
    """A contrast is the difference of two weighted means, so it is judged as a difference of two arms is."""
    up, down = ({seed: _side(weights, values, seed, sign) for seed in seeds} for sign in (1, -1))
    over_seeds = paired_shares(up, down)
    if over_seeds is None:
        return None
    interval = agreeing_interval(_over_images(weights, right, seeds), over_seeds)
    named = tuple((factor.name, factor.levels[level], factor.levels[0]) for factor, level in about)
    return Effect(named, weights, interval, p_of(interval))


def _over_images(weights: Weights, right: Right, seeds: Sequence[int]) -> Interval | None:
    """Return the interval over seeds and images, None where an arm's answers are not there or of other images."""
    if any(seed not in right.get(arm, {}) for arm in weights for seed in seeds):
        return None
    table = [sum(weight * right[arm][seed] for arm, weight in weights.items()) for seed in seeds]
    sizes = {np.shape(row) for row in table}
    return crossed_interval(np.stack([np.asarray(row) for row in table])) if sizes and min(sizes) > (1,) else None


def _side(weights: Weights, values: Values, seed: int, sign: int) -> float:
    return sum(abs(weight) * values[arm][seed] for arm, weight in weights.items() if weight * sign > 0)


def with_holm(effects: Sequence[Effect]) -> list[Effect]:
    """Return the effects with p adjusted over all of them together."""
    adjusted = iter(holm([one.p for one in effects if one.p is not None]))
    return [replace(one, adjusted_p=None if one.p is None else next(adjusted)) for one in effects]


@dataclass(frozen=True)
class Factorial:
    """The grid of an experiment's arms at one point of its matrix, with what the factors do there."""

    cell: str
    grid: Grid
    effects: Sequence[Effect]


def read_factorials(snapshot: Snapshot, name: str, arms: Sequence[str], baseline: str | None) -> list[Factorial]:
    """Return the grid and effects on test accuracy at each point of the matrix; p holds over all points together."""
    by_point: dict[str, dict[str, list[Row]]] = {}
    for arm in arms:
        for row in snapshot.ask("compare_runs", experiment=name, arm=arm):
            by_point.setdefault(row["cell"], {}).setdefault(arm, []).append(row)
    found = [_factorial(snapshot, cell, runs, baseline) for cell, runs in by_point.items()]
    return _with_holm_together([one for one in found if one is not None])


def _factorial(
    snapshot: Snapshot, cell: str, runs: Mapping[str, Sequence[Row]], baseline: str | None
) -> Factorial | None:
    settings = {arm: flatten_settings(json.loads(rows[0]["settings"] or "{}")) for arm, rows in runs.items()}
    grid = find_grid(settings, baseline)
    if grid is None:
        return None
    kept = {arm: [row for row in runs[arm] if _is_number(row)] for arm in grid.arms.values()}
    values = {arm: {row["seed"]: row[METRIC] for row in rows} for arm, rows in kept.items()}
    effects = measure_effects(grid, values, _right_of(snapshot, kept))
    return Factorial(cell, grid, [replace(one, note=_note_of(grid, one, runs)) for one in effects])


def _right_of(snapshot: Snapshot, runs: Mapping[str, Sequence[Row]]) -> Right:
    """Return which test images each run told right; nothing where they are not the same for all."""
    answers = snapshot.ask_images(row["final_job"] for rows in runs.values() for row in rows)
    if len({one.images for one in answers.values()}) != 1:
        return {}
    told = {job: one.right.astype(np.float64) for job, one in answers.items()}
    return {
        arm: {row["seed"]: told[row["final_job"]] for row in rows if row["final_job"] in told}
        for arm, rows in runs.items()
    }


def _note_of(grid: Grid, effect: Effect, runs: Mapping[str, Sequence[Row]]) -> str:
    """Return what the pairs behind an effect differ in beside its factors, as a comparison of them would say."""
    places = {factor.name: at for at, factor in enumerate(grid.factors)}
    unfair, notes = dict[str, Mismatch](), dict[str, None]()
    for name, level, reference in effect.levels:
        at, levels = places[name], grid.factors[places[name]].levels
        for cell, arm in grid.arms.items():
            if levels[cell[at]] != level:
                continue
            other = grid.arms[(*cell[:at], levels.index(reference), *cell[at + 1 :])]
            first, second = (surround(runs[one][0], metric_of(METRIC)) for one in (arm, other))
            judged = judge_pair(first, second, METRIC)
            unfair = {one.what: one for one in judged.unfair} | unfair
            notes |= dict.fromkeys(judged.notes)
    return footnote_text(list(unfair.values()), list(notes))


def _is_number(row: Row) -> bool:
    return row["test_top1"] is not None and isfinite(row["test_top1"])


def _with_holm_together(found: Sequence[Factorial]) -> list[Factorial]:
    adjusted = iter(with_holm([effect for one in found for effect in one.effects]))
    return [replace(one, effects=[next(adjusted) for _ in one.effects]) for one in found]
