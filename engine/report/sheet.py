"""The figures of one experiment laid out by arm and point: takes rows of the store, answers look-ups."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.analysis.agreement import Following
from engine.analysis.snapshot import Row
from engine.analysis.trainings import NetworkTraining
from engine.report.changes import Changes
from engine.spec.dotted import flatten_settings
from store.metrics import METRICS, Metric


@dataclass(frozen=True)
class ReportRows:
    """The answers of store/queries/report_*.sql for one experiment."""

    about: Row
    runs: Sequence[Row]
    cells: Sequence[Row]
    jobs: Sequence[Row]
    origins: Sequence[Row]
    curves: Sequence[Row]
    teachers: Sequence[Row]
    students: Sequence[Row]
    bins: Sequence[Row]
    maps: Sequence[Row]
    published: Sequence[Row]
    splits: Sequence[Row] = ()
    images: Sequence[Row] = ()
    trainings: Sequence[NetworkTraining] = ()
    followings: Sequence[Following] = ()
    damaged: Sequence[Row] = ()


class Sheet:
    """The rows of one experiment by arm and point, for the parts of a page to look things up in."""

    def __init__(self, rows: ReportRows, changes: Changes | None = None) -> None:
        self.changes = changes or Changes()
        self.arms = list(dict.fromkeys(run["arm"] for run in rows.runs))
        self.points = list(dict.fromkeys(run["cell"] for run in rows.runs))
        self.baseline = rows.about["baseline"] if rows.about["baseline"] in self.arms else None
        self.runs: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for run in rows.runs:
            self.runs[run["arm"], run["cell"]].append(run)
        self.cells = {(row["arm"], row["cell"], row["metric"]): row for row in rows.cells}
        self.splits = rows.splits
        self.trainings = rows.trainings
        arms = json.loads(rows.about["spec"] or "{}").get("arms") or {}
        self.written = {path for tree in arms.values() for path in flatten_settings(tree or {})}  # by the spec
        self.settings = {
            key: flatten_settings(json.loads(runs[0]["settings"]))
            for key, runs in self.runs.items()
            if runs[0]["settings"]
        }

    def mean(self, arm: str, point: str, metric: str) -> float | None:
        row = self.cells.get((arm, point, metric))
        return None if row is None or not row["n"] else float(row["mean"])

    def std(self, arm: str, point: str, metric: str) -> float | None:
        row = self.cells.get((arm, point, metric))
        return None if row is None or row["std"] is None else float(row["std"])

    def seeds(self, arm: str, point: str, metric: str) -> dict[int, float]:
        """Return the value of each seed that has a finite one: one whose training diverged has no change to show."""
        values = {run["seed"]: run[metric] for run in self.runs[arm, point] if run[metric] is not None}
        return {seed: value for seed, value in values.items() if math.isfinite(value)}

    def shown(self, column: str) -> Metric:
        """Return the one metric that a column of this experiment's tables shows: the first that any run has."""
        metrics = [metric for metric in METRICS.values() if metric.column == column]
        known = {metric for _, _, metric in self.cells}
        return next((metric for metric in metrics if metric.name in known), metrics[-1])

    def is_pruned(self, arm: str) -> bool:
        return any(self.mean(arm, point, "prune_asked") for point in self.points)
