"""The submissions of an experiment: takes its name, gives each with what changed, and the results of its runs.

A job is made of its settings, so that the results of an earlier submission are those of its jobs, as long as they are
here: what was removed since is told as a number of runs without a figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from engine.analysis.snapshot import one_snapshot
from engine.errors import HomeError, QueryError, XpError
from engine.home.paths import Home
from engine.home.records import read_record
from engine.inspect.why_tried import tried
from engine.schedule.lookup import list_runs
from engine.schedule.submit import list_changes
from engine.spec.dotted import flatten_settings
from engine.spec.identity import canonical_json
from engine.spec.job_kinds import final_network
from engine.spec.synonyms import hint_word
from store.amounts import counted

METRIC = "test_top1"
Place = tuple[str, str, int]


@dataclass(frozen=True)
class CellResult:
    """An arm at a point of the matrix: the mean and standard deviation of those of its `runs` that have a figure."""

    arm: str
    cell: str
    runs: int
    n: int
    mean: float | None
    std: float | None


@dataclass(frozen=True)
class SubmissionLine:
    """One submission: number, unix seconds, runs that came, changed or went, settings that changed, results.

    `unseen` is how many trials of a search have no result here: nobody may choose by figures of test images.
    """

    number: int
    at: float
    runs: int
    changes: tuple[str, ...]
    settings: tuple[str, ...]
    results: tuple[CellResult, ...]
    damage: str = ""
    unseen: int = 0

    def as_json(self) -> dict[str, Any]:
        about = {"submission": self.number, "submitted_at": self.at, "runs": self.runs, "damage": self.damage or None}
        changed = {"changes": list(self.changes), "settings": list(self.settings), "trials_left_out": self.unseen}
        return {**about, **changed, "results": [vars(one) for one in self.results]}


def read_history(home: Home, experiment: str, metric: str = METRIC) -> list[SubmissionLine]:
    """Return the submissions of an experiment, oldest first; a damaged one says so and stops no other.

    `metric` is what jobs log, such as test_top1 or val_loss; of trials no figure of test images is given. Raises
    XpError for an unknown experiment, and for a metric that none of its jobs logged although they logged others.
    """
    paths = home.records(experiment)
    if not paths:
        list_runs(home, experiment)  # says what there is
    records = [_read(path) for path in paths]
    whole = [record for record in records if isinstance(record, dict)]
    figures = _figures(home, whole, metric)
    lines, before = [], None
    for path, record in zip(paths, records, strict=True):
        if isinstance(record, str):
            lines.append(SubmissionLine(int(path.stem), 0.0, 0, (), (), (), record))
            continue
        unseen = _trial_arms(record) if "test" in metric else set[str]()
        lines.append(_line(int(path.stem), record, before, figures, unseen))
        before = record
    return lines


def _read(path: Any) -> dict[str, Any] | str:
    try:
        return read_record(path)
    except HomeError as error:
        return error.what


def _trial_arms(record: Mapping[str, Any]) -> set[str]:
    """Return the arms of a submission that are trials of a search, and no best that was trained anew."""
    return {arm for arm, told in tried(record).items() if told["stage"] != "final"}


def _line(
    number: int, record: Mapping[str, Any], before: Mapping[str, Any] | None, figures: Mapping[str, float],
    unseen: set[str],
) -> SubmissionLine:  # fmt: skip
    changes = list_changes(before, record) if before else ()
    settings = setting_changes(before, record) if before else ()
    seen = [run for run in record["runs"] if run["arm"] not in unseen]
    left = len({run["arm"] for run in record["runs"]} & unseen)
    about = number, float(record["submitted_at"]), len(record["runs"]), changes, settings
    return SubmissionLine(*about, tuple(_results(seen, figures)), unseen=left)


def setting_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Say in a line each which settings of runs changed that stand at the same place, and of how many runs."""
    old, new = ({_place(run): run for run in record["runs"]} for record in (before, after))
    told: Counter[str] = Counter()
    for place in old.keys() & new.keys():
        first, second = (flatten_settings(runs[place]["settings"], with_empty=True) for runs in (old, new))
        for path in sorted(first.keys() | second.keys()):
            values = [canonical_json(one.get(path)) for one in (first, second)]
            if values[0] != values[1]:
                told[f"{path}: {values[0]} -> {values[1]}"] += 1
    return tuple(f"{line} ({counted(count, 'run')})" for line, count in sorted(told.items()))


def _place(run: Mapping[str, Any]) -> Place:
    return run["arm"], run["cell"], run["seed"]


def _results(runs: Sequence[Mapping[str, Any]], figures: Mapping[str, float]) -> list[CellResult]:
    cells: dict[tuple[str, str], list[float | None]] = {}
    for run in runs:
        cells.setdefault((run["arm"], run["cell"]), []).append(figures.get(_final(run)))
    return [_cell(arm, cell, values) for (arm, cell), values in cells.items()]


def _cell(arm: str, cell: str, values: Sequence[float | None]) -> CellResult:
    there = [value for value in values if value is not None]
    spread = stdev(there) if len(there) > 1 else None
    return CellResult(arm, cell, len(values), len(there), fmean(there) if there else None, spread)


def _final(run: Mapping[str, Any]) -> str:
    """Return the job whose network is the run's, "" for a run that makes none."""
    with suppress(IndexError, KeyError):
        return final_network(run["jobs"])
    return ""


def _figures(home: Home, records: Sequence[Mapping[str, Any]], metric: str) -> dict[str, float]:
    jobs = sorted({_final(run) for record in records for run in record["runs"]} - {""})
    try:
        with one_snapshot(home) as snapshot:
            rows = snapshot.ask("history_last", jobs=jobs, metric=metric)
            if not rows and metric != METRIC:
                _refuse_unknown(snapshot.ask("history_names", jobs=jobs), metric)
    except QueryError:
        return {}
    return {row["job"]: row["value"] for row in rows if row["value"] is not None}


def _refuse_unknown(rows: Sequence[Mapping[str, Any]], metric: str) -> None:
    names = [row["name"] for row in rows]
    if names:
        raise XpError(f"no job of it logged {metric!r}", where="--metric", fix=hint_word(metric, names))
