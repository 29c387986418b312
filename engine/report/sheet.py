"""The figures of one experiment laid out by arm and point: takes rows of the store, answers look-ups."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.agreement import Following
from engine.analysis.snapshot import Row
from engine.analysis.statistics import Interval, paired_shares
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
    noise: Sequence[Row] = ()
    commits: Sequence[Row] = ()
    imported: Sequence[Row] = ()
    imported_curves: Sequence[Row] = ()
    searched: Sequence[Row] = ()
    searches: Sequence[Row] = ()
    trials: Sequence[Row] = ()
    winners: Sequence[Row] = ()


class Sheet:
    """The rows of one experiment by arm and point, for the parts of a page to look things up in."""

    def __init__(self, rows: ReportRows, changes: Changes | None = None, columns: Sequence[str] | None = None) -> None:
        self.changes = changes or Changes()
        self.arms = list(dict.fromkeys(run["arm"] for run in rows.runs))
        self.points = list(dict.fromkeys(run["cell"] for run in rows.runs))
        self.baseline = rows.about["baseline"] if rows.about["baseline"] in self.arms else None
        self.runs: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for run in rows.runs:
            self.runs[run["arm"], run["cell"]].append(run)
        self.cells = {(row["arm"], row["cell"], row["metric"]): row for row in rows.cells}
        self.experiment = str(rows.runs[0].get("experiment") or "") if rows.runs else ""
        self.codes = {row["run"]: row["code"] for row in rows.commits}
        self.splits = rows.splits
        self.trainings = rows.trainings
        self.searched = rows.searched
        self.winners = {row["arm"]: row["searched"] for row in rows.winners}  # the best of a search -> of which arm
        self.noisy: dict[str, float] = {}  # of arms whose timings were unsteady: the largest spread over their median
        for row in rows.noise:
            spreads = [one["spread"] for one in json.loads(row["noisy"])]
            self.noisy[row["arm"]] = max(self.noisy.get(row["arm"], 0.0), *spreads)
        spec = json.loads(rows.about["spec"] or "{}")
        arms = spec.get("arms") or {}
        self.search = spec.get("search") or {}  # as it is written
        self.asked_seeds = spec.get("seeds")
        # The metrics that the tables show and their order: as asked for, else as the spec says, else what is known.
        self.columns = columns or (spec.get("report") or {}).get("columns")
        self.written = {path for tree in arms.values() for path in flatten_settings(tree or {})}  # by the spec
        self.settings = {
            key: _without_source(flatten_settings(json.loads(runs[0]["settings"])))
            for key, runs in self.runs.items()
            if runs[0]["settings"]
        }

    def mean(self, arm: str, point: str, metric: str) -> float | None:
        row = self.cells.get((arm, point, metric))
        return None if row is None or not row["n"] else float(row["mean"])

    def half(self, arm: str, point: str, metric: str) -> float | None:
        """Return half of the 95 % interval of the mean over seeds: what ± says, wherever a mean is shown."""
        row = self.cells.get((arm, point, metric))
        return None if row is None else half_of(row)

    def seeds(self, arm: str, point: str, metric: str) -> dict[int, float]:
        """Return the value of each seed that has a finite one: one whose training diverged has no change to show."""
        values = {run["seed"]: run[metric] for run in self.runs[arm, point] if run[metric] is not None}
        return {seed: value for seed, value in values.items() if math.isfinite(value)}

    def change(self, arm: str, point: str) -> Interval | None:
        """Return how far an arm lies from the baseline in test accuracy: as compared, else over common seeds."""
        if self.baseline is None or arm == self.baseline:
            return None
        compared = self.changes.comparisons.get((arm, point))
        ours, base = (self.seeds(name, point, "test_top1") for name in (arm, self.baseline))
        return compared.difference if compared is not None else paired_shares(ours, base)

    def common_seeds(self, arm: str, point: str) -> int:
        """Return how many seeds an arm has in common with the baseline in test accuracy."""
        ours, base = (self.seeds(name, point, "test_top1") for name in (arm, self.baseline or arm))
        return len(ours.keys() & base.keys())

    def lone_run(self, arm: str, point: str) -> Row | None:
        """Return the run of an arm that one seed alone stands for, where its interval over test images is known."""
        row = self.cells.get((arm, point, "test_top1"))
        seeds = self.seeds(arm, point, "test_top1")
        runs = [run for run in self.runs[arm, point] if run["seed"] in seeds and run["test_low"] is not None]
        return runs[0] if row is not None and row["n"] == 1 and runs else None

    def round_edges(self, arm: str, point: str) -> tuple[float, float] | None:
        """Return the interval of the speed-up of an arm that one measurement in rounds stands for."""
        runs = [run for run in self.runs[arm, point] if run.get("speedup_low") is not None]
        edges = {(run["speedup_low"], run["speedup_high"]) for run in runs}
        return edges.pop() if len(edges) == 1 else None

    def shown(self, column: str) -> Metric:
        """Return the one metric that a column of this experiment's tables shows: the first that any run has."""
        metrics = [metric for metric in METRICS.values() if metric.column == column]
        known = {metric for _, _, metric in self.cells}
        return next((metric for metric in metrics if metric.name in known), metrics[-1])

    @property
    def epochs_differ(self) -> bool:
        """Whether at some point the arms are trained for unlike numbers of epochs, recovery included."""
        spent = ({self.mean(arm, point, "epochs_spent") for arm in self.arms} - {None} for point in self.points)
        return any(len(counts) > 1 for counts in spent)

    @property
    def epochs(self) -> float | None:
        """The epochs that every arm is trained for at every point, None where they differ or are not known."""
        spent = {self.mean(arm, point, "epochs_spent") for arm, point in self.runs}
        return spent.pop() if len(spent) == 1 else None

    def is_pruned(self, arm: str) -> bool:
        return any(self.mean(arm, point, "prune_asked") for point in self.points)

    def is_from_scratch(self, arm: str) -> bool:
        """Whether an arm has the widths or mask of a pruned one, and new weights."""
        return any(self.settings.get((arm, point), {}).get("prune.control") == "scratch" for point in self.points)


def half_of(row: Row) -> float | None:
    """Return half of the interval that a row of `cells` holds; None of one value, or where it has no interval."""
    return None if row["low"] is None else (float(row["high"]) - float(row["low"])) / 2


def _without_source(settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out what tells one imported run from another and decides nothing: ids, times, places."""
    return {path: value for path, value in settings.items() if not path.startswith("imported.")}
