"""What a search found: takes rows of the store and what the search was told, gives each arm's trials, best and budget.

A trial is as many rows as it has rungs. Compared are those of the highest rung on which one was judged alone: those of
other lengths are no match for them. What it cost is its trainings' time, each training paid for once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from engine.analysis.snapshot import Row
from engine.analysis.trial_fronts import front_places
from engine.spec.search import Axis, Search
from store.metrics import METRICS

ENDED = ("done", "failed", "cancelled", "refused")
FAILED = ("failed", "cancelled")
EXHAUSTED = "exhausted"  # what is written as the reason of a draw where nothing was left to draw


@dataclass(frozen=True)
class Training:
    """A training that a trial needed: its seconds, and on how many GPUs, 0 where it ran on none."""

    job: str
    seconds: float
    gpus: int

    @property
    def spent(self) -> float:
        """Seconds, those of each GPU counted."""
        return self.seconds * max(1, self.gpus)


@dataclass(frozen=True)
class Tried:
    """A trial on one of its rungs; `values` by metric, of those that are known."""

    trial: int
    rung: int
    name: str
    state: str
    drawn: Mapping[str, Any]
    values: Mapping[str, float]
    work: Sequence[Training] = ()
    epochs: float | None = None


@dataclass(frozen=True)
class SearchedArm:
    """An arm and all that was tried for it, in the order in which it was asked for."""

    arm: str
    search: Search
    asked: int
    tried: Sequence[Tried]
    is_stopped: bool = False
    is_exhausted: bool = False

    @property
    def space(self) -> Mapping[str, Axis]:
        return self.search.space_of(self.arm)

    @cached_property
    def states(self) -> list[str]:
        """How each trial stands: open while some rung of it is at work, else as its first rung ended."""
        at_work = {one.trial for one in self.tried if one.state not in ENDED}
        firsts = [one for one in self.tried if one.rung == 0]
        return ["open" if one.trial in at_work else one.state for one in firsts]

    def count(self, *states: str) -> int:
        return sum(state in states for state in self.states)

    @property
    def spent(self) -> int:
        """How many trials count: a refused one was not trained."""
        return len(self.states) - self.count("refused")

    @cached_property
    def compared(self) -> list[Tried]:
        """The trials that ended, have their figures, keep every bound, and are of the length that decides."""
        return [one for one in self.tried if one.rung == self.top and self.is_fair(one)]

    @cached_property
    def top(self) -> int:
        return max((one.rung for one in self.tried if one.state == "done"), default=0)

    def is_fair(self, one: Tried) -> bool:
        bounds = self.search.constraint.items()
        is_kept = all(bound.allows(one.values[name]) for name, bound in bounds if name in one.values)
        return one.state == "done" and is_kept and self.goals(one) is not None

    def goals(self, one: Tried) -> tuple[float, ...] | None:
        """Return a trial's figures, more being better; None where one of them is not known."""
        found = [one.values.get(name, math.nan) for name in self.search.metrics]
        ways = directions(self.search)
        if any(map(math.isnan, found)):
            return None
        return tuple(value if way == "max" else -value for value, way in zip(found, ways, strict=True))

    @cached_property
    def best(self) -> list[Tried]:
        """The best trial, or the front of several metrics; of equal ones the earlier."""
        return [self.compared[at] for at in front_places([self.goals(one) or () for one in self.compared])]

    @cached_property
    def work(self) -> list[Training]:
        """All trainings of its trials, each once."""
        return list({each.job: each for one in self.tried for each in one.work}.values())

    @cached_property
    def costs(self) -> list[float]:
        """The seconds of each of `tried`: a training that was paid for by one before costs nothing more."""
        paid, found = set[str](), list[float]()
        for one in self.tried:
            found.append(sum(each.spent for each in one.work if each.job not in paid))
            paid |= {each.job for each in one.work}
        return found


@dataclass(frozen=True)
class Final:
    """An arm that is a trial trained anew on seeds that chose nothing; `is_again`: after another one of its search."""

    arm: str
    searched: str
    trial: int
    is_again: bool = False


@dataclass(frozen=True)
class Searches:
    """The search of an experiment: the arms that are searched, those that are not, and the best trained anew."""

    search: Search
    arms: Sequence[SearchedArm]
    unsearched: Sequence[str]
    finals: Sequence[Final] = ()


def directions(search: Search) -> list[str]:
    """Return `max` or `min` for each metric, as it is told or as the metric has it."""
    told = search.direction
    if isinstance(told, list):
        return list(told)
    return [told or ("min" if METRICS[name].better == "lower" else "max") for name in search.metrics]


def read_search(spec: Mapping[str, Any]) -> Search | None:
    """Return what a spec searches; None where it searches nothing, or in words that this version does not know."""
    try:
        found = Search.model_validate(spec["search"]) if spec.get("search") else None
    except ValidationError:
        return None
    return found if found is not None and all(name in METRICS for name in found.metrics) else None


def chosen_by(search: Search | None) -> list[str]:
    """Return the metrics that trials are asked for: those that decide, and those that are bounded."""
    return [] if search is None else sorted({*search.metrics, *search.constraint} & METRICS.keys())


def gather_searches(
    spec: Mapping[str, Any], told: Sequence[Row], trials: Sequence[Row], winners: Sequence[Row] = ()
) -> Searches | None:
    """Return the search of an experiment from its spec and the rows of report_searches, _trials and _winners."""
    search = read_search(spec)
    if search is None or not told:
        return None
    names = list(spec.get("arms") or {}) or [str(spec["name"])]
    arms = [_gather_arm(arm, search, told[0], trials) for arm in names if search.is_searched(arm)]
    finals = [Final(row["arm"], row["searched"], row["trial"], bool(row.get("is_again"))) for row in winners]
    return Searches(search, arms, [arm for arm in names if not search.is_searched(arm)], finals)


def _gather_arm(arm: str, search: Search, told: Row, trials: Sequence[Row]) -> SearchedArm:
    rows = [row for row in trials if row["arm"] == arm]
    tried = [_gather_trial(row, chosen_by(search)) for row in rows if row["why"] != EXHAUSTED]
    is_exhausted = any(row["why"] == EXHAUSTED for row in rows)
    asked = int(told["asked"] or search.trials)
    return SearchedArm(arm, search, asked, tried, bool(told["stopped"]), is_exhausted)


def _gather_trial(row: Row, metrics: Iterable[str]) -> Tried:
    values = {name: float(row[name]) for name in metrics if row.get(name) is not None}
    work = [
        Training(each["job"], float(each["seconds"] or 0.0), int(each["slots"]) if each["is_gpu"] else 0)
        for each in row["work"] or ()
    ]
    drawn, state = json.loads(row["drawn"] or "{}"), row["state"] or "queued"
    return Tried(row["trial"], row["rung"], row["trial_arm"], state, drawn, values, work, row["epochs"])
