"""What a search tried: takes an experiment, gives how far each arm is, the best so far, and a page of its trials.

trials=newest   the trials asked for last first; else the best first      page=2   of them

How far it is was written down by its last look (schedule/searched.py); the trials are those of the published results.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from engine.analysis.searches import directions
from engine.analysis.snapshot import Snapshot
from engine.report.number_text import heading, scale_of
from engine.schedule.searched import ArmProgress, read_problem, read_progress
from engine.serve.paging import Paging, make_paging
from engine.serve.view import Asked
from engine.spec.identity import canonical_json
from engine.spec.search import MOST_TRIALS, Search
from store.metrics import METRICS

PER_PAGE = 50
NEWEST = "newest"
DIGITS = 4  # of a number that was drawn
UNKNOWN = "\N{EN DASH}"


@dataclass(frozen=True)
class TrialRow:
    """A trial: its arm's name and its run, "" where it has none; how it stands and why; figures and what was drawn."""

    name: str
    run: str
    arm: str
    state: str
    note: str
    figures: tuple[str, ...]
    drawn: tuple[tuple[str, str], ...]
    goal: float
    is_best: bool = False


@dataclass(frozen=True)
class ArmRow:
    """An arm that is searched, as far as it is, and the best of its trials: one, or a front."""

    arm: str
    progress: ArmProgress
    best: tuple[TrialRow, ...]


@dataclass(frozen=True)
class Searched:
    """The search of an experiment; `trials` are one page of them.

    `least` is the fewest trials of each arm that it may be extended to: 0 where it cannot be told, or is not of here.
    """

    arms: tuple[ArmRow, ...]
    headings: tuple[str, ...]
    trials: tuple[TrialRow, ...]
    paging: Paging
    is_newest_first: bool
    is_front: bool
    is_open: bool
    has_rungs: bool
    least: int
    problem: str = ""  # why its last look ended in an error

    most: int = MOST_TRIALS

    @property
    def is_stopping(self) -> bool:
        """Whether no more trials are asked for, though some are open."""
        return self.is_open and any(arm.progress.is_stopped for arm in self.arms)

    @property
    def front(self) -> tuple[TrialRow, ...]:
        return tuple(row for arm in self.arms for row in arm.best) if self.is_front else ()


def read_search(asked: Asked, snapshot: Snapshot | None, name: str) -> Searched | None:
    """Return the search of an experiment, None where nothing is searched."""
    search, progress = _words(snapshot, name), read_progress(asked.home, name)
    is_open = asked.home.search_mark(name).exists()
    if search is None and not progress and not is_open:
        return None
    metrics = _metrics(search, progress)
    rows = _rows(snapshot, name, metrics, search) if snapshot is not None else []
    known = {row.name: row for row in rows}
    arms = tuple(_arm_row(one, metrics, known) for one in progress)
    best = {row.name for arm in arms for row in arm.best}
    is_newest = asked.word("trials") == NEWEST
    ordered = rows[::-1] if is_newest else sorted(rows, key=lambda row: -row.goal)
    paging = make_paging(asked, len(ordered), PER_PAGE)
    shown = tuple(replace(row, is_best=row.name in best) for row in ordered[paging.start : paging.end])
    has_rungs = search is not None and search.fidelity is not None
    heads = tuple(heading(METRICS[metric]) for metric in metrics)
    least = _least_extension(progress) if asked.home.records(name) else 0
    problem = read_problem(asked.home, name)
    return Searched(arms, heads, shown, paging, is_newest, len(metrics) > 1, is_open, has_rungs, least, problem)


def _least_extension(progress: Sequence[ArmProgress]) -> int:
    """Return the fewest trials that are more than are asked for now; of a search that was stopped, as many."""
    is_short = any(arm.is_stopped and arm.done < arm.asked for arm in progress)
    return max((arm.asked + (not is_short) for arm in progress), default=0)


def _words(snapshot: Snapshot | None, name: str) -> Search | None:
    rows = snapshot.ask("serve_search", name=name) if snapshot is not None else []
    told = json.loads(rows[0]["search"] or "null") if rows else None
    try:
        return None if told is None else Search.model_validate(told)
    except ValidationError:  # of another version of xp
        return None


def _metrics(search: Search | None, progress: Iterable[ArmProgress]) -> list[str]:
    """Return what is chosen by; where nothing was published yet, as far as a trial was judged."""
    told = (
        search.metrics
        if search is not None
        else [name for arm in progress for _, values in arm.best for name in values]
    )
    return [name for name in dict.fromkeys(told) if name in METRICS]


def _rows(snapshot: Snapshot, name: str, metrics: Sequence[str], search: Search | None) -> list[TrialRow]:
    """Return the trials, each once: of one that has several points of a matrix the first."""
    told = snapshot.ask("serve_trials", name=name, metrics=",".join(metrics))
    firsts = list({row["trial_arm"]: row for row in reversed(told)}.values())[::-1]
    sign = -1.0 if search is not None and directions(search)[0] == "min" else 1.0
    drawn = [json.loads(row["drawn"] or "{}") for row in firsts]
    short = _short_names({path for one in drawn for path in one})
    named = [tuple((short[path], _value(value)) for path, value in one.items()) for one in drawn]
    return [_row(row, settings, metrics, sign) for row, settings in zip(firsts, named, strict=True)]


def _row(
    row: Mapping[str, Any], drawn: tuple[tuple[str, str], ...], metrics: Sequence[str], sign: float
) -> TrialRow:  # fmt: skip
    figures = tuple(_figure(name, row.get(name)) for name in metrics)
    value = row.get(metrics[0]) if metrics and row["refused"] is None else None
    goal = -math.inf if value is None or not math.isfinite(value) else sign * float(value)
    state = row["state"] or "asked for"
    return TrialRow(row["trial_arm"], row["run"] or "", row["arm"], state, row["refused"] or "", figures, drawn, goal)


def _short_names(paths: Iterable[str]) -> dict[str, str]:
    """Return of each path its last word, where no other path ends so."""
    ends = Counter(path.rpartition(".")[2] for path in paths)
    return {path: end if ends[end := path.rpartition(".")[2]] == 1 else path for path in paths}


def _figure(name: str, value: float | None) -> str:
    return UNKNOWN if value is None or not math.isfinite(value) else scale_of(METRICS[name]).write(value)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    return value if isinstance(value, str) else canonical_json(value)


def _arm_row(progress: ArmProgress, metrics: Sequence[str], known: Mapping[str, TrialRow]) -> ArmRow:
    best = tuple(_best_row(progress.arm, name, values, metrics, known.get(name)) for name, values in progress.best)
    return ArmRow(progress.arm, progress, best)


def _best_row(
    arm: str, name: str, values: Mapping[str, float], metrics: Sequence[str], known: TrialRow | None
) -> TrialRow:  # fmt: skip
    figures = tuple(_figure(metric, values.get(metric)) for metric in metrics)
    if known is not None:
        return replace(known, figures=figures, is_best=True)
    return TrialRow(name, "", arm, "done", "", figures, (), 0.0, is_best=True)
