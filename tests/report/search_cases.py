"""Each sentence of the section 'Search': a search of which it is true, and one of which it must not appear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.report.searching import LR, final_runs, section, told, trial_row, trials_of

Told = Callable[[], str]
Rows = Sequence[Mapping[str, Any]]
FOUR = trials_of("a", 0.5, 0.6, 0.7, 0.65)
ALIKE = trials_of("a", 0.7, 0.7, 0.7)
PAIR = {"metric": ["val_top1", "macs"]}
BOTH = [trial_row("a", at, 0.5 + 0.1 * at, figures={"macs": 100 + at}) for at in range(4)]


def of(*trials: Rows, **more: Any) -> Told:
    return lambda: told(section(*trials, **more))


def anew(*values: float, trial: int = 2, **more: Any) -> Told:
    """The best trial, 0.7 on its own seed, trained anew."""
    return of(FOUR, finals={"a-best": ("a", trial)}, runs=final_runs("a-best", *values), **more)


def rungs(top: int) -> Told:
    rows = [trial_row("a", at, 0.5 + at / 10, rung=rung) for at in range(3) for rung in range(2) if rung <= top * at]
    return of(rows, fidelity={"epochs": [1, 3], "keep": 2})


REFUSED = trial_row("a", 4, refused="no network has them")
EXHAUSTED = trial_row("a", 4, refused="nothing is left", why="exhausted")
OPEN = trial_row("a", 4, state="running")
FEWER = trials_of("b", 0.5, 0.6)
MANY_FRONT = [trial_row("a", at, at / 100, figures={"macs": 100 + at}) for at in range(40)]
LUCKY = [trial_row("a", at, 0.5 + 0.01 * (at % 20), drawn={"train.lr": LR[at % 20]}) for at in range(60)]
BLIND = [trial_row("a", at, 0.5 + 0.001 * at, drawn={"train.lr": LR[7 * at % 20]}) for at in range(60)]
NOT_DRAWN = [trial_row("a", at, 0.5 + at / 10, drawn={"train.lr": 1e-3, "student.attention.kind": "longformer",
                                                      "student.attention.radius": 1}) for at in range(2)]  # fmt: skip
FRONT_ANEW: dict[str, Any] = {
    "finals": {"a-best-003": ("a", 3)}, "metrics": ("val_top1", "macs"),
    "runs": [{**run, "macs": 103.0} for run in final_runs("a-best-003", 0.6, 0.62, 0.61)],
}  # fmt: skip
SEARCH_CASES: dict[str, tuple[Told, Told]] = {
    "search_best": (of(FOUR), of(BOTH, **PAIR)), "search_front": (of(BOTH, **PAIR), of(FOUR)),
    "search_tied": (of(ALIKE), of(FOUR)),
    "search_drawn": (of(FOUR), of([*FOUR[:2], EXHAUSTED], sampler="grid")),
    "search_none": (of([trial_row("a", 0)]), of(FOUR)),
    "search_fewer": (of(FOUR, FEWER, arms=("a", "b")), of(FOUR, trials_of("b", *[0.1] * 4), arms=("a", "b"))),
    "search_rungs": (rungs(1), rungs(0)),
    "search_open": (of([*FOUR, OPEN]), of(FOUR)),
    "search_exhausted": (of([*FOUR[:2], EXHAUSTED]), of(FOUR[:2], stopped=True)),
    "search_stopped": (of(FOUR[:2], stopped=True), of(FOUR, stopped=True)),
    "search_unsearched": (of(FOUR, arms=("a", "c"), spaces={"c": None}), of(FOUR)),
    "search_refused": (of([*FOUR, REFUSED]), of(FOUR)),
    "search_time": (of(FOUR), of([REFUSED])),
    "search_bounds": (of(BOTH, constraint={"macs": {"below": 102}}), of(FOUR)),
    "search_images": (of(FOUR), lambda: ""),
    "search_near": (of(FOUR), of(FOUR[:1])), "search_gap": (of(FOUR), of(FOUR[:1])),
    "search_front_rest": (of(MANY_FRONT, **PAIR), of(BOTH, **PAIR)),
    "search_spread": (anew(0.6, 0.62, 0.61), anew(0.6)),
    "search_flattered": (anew(0.6, 0.61, 0.605), anew(0.65, 0.75, 0.7)),
    "search_humble": (anew(0.8, 0.81, 0.805), anew(0.6, 0.61, 0.605)),
    "search_luck_open": (anew(0.65, 0.75, 0.7), anew(0.6, 0.61, 0.605)),
    "search_one_seed": (anew(0.6), anew(0.6, 0.61)), "search_same": (anew(0.6, 0.6), anew(0.6)),
    "search_luck": (anew(0.6), of(FOUR)),
    "search_again": (anew(0.6, 0.61, again=["a-best"]), anew(0.6, 0.61)),
    "search_moved": (anew(0.6, 0.61, trial=1), anew(0.6, 0.61)),
    "search_path": (of(FOUR), of(BOTH, **PAIR)), "search_orders": (of(FOUR), of(ALIKE)),
    "search_lines_alike": (of(ALIKE), of(FOUR)), "search_lines": (of(FOUR), of(ALIKE)),
    "search_absent": (of(FOUR), of(NOT_DRAWN)),
    "search_some_lines": (of(trials_of("a", *[at / 600 for at in range(501)])), of(LUCKY)),
    "search_weights": (of(LUCKY), of(FOUR)), "search_few": (of(LUCKY[:30]), of(LUCKY)),
    "search_too_few": (of(FOUR), of(LUCKY)),
    "search_chance": (of(LUCKY), of(BLIND)), "search_no_weight": (of(BLIND), of(LUCKY)),
    "search_anew": (of(BOTH, **PAIR, **FRONT_ANEW), of(BOTH, **PAIR)),
    "search_spots": (of(BOTH, **PAIR), of(FOUR)), "search_volume": (of(BOTH, **PAIR), of(FOUR)),
    "search_not_anew": (of(FOUR), anew(0.6)),
}  # fmt: skip
