"""A number back to its sources: takes an arm and a metric, gives the SQL, runs, jobs, attempts, code and machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.analysis.addresses import find_arm_runs
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import QueryError
from engine.home.paths import Home
from store.metrics import metric_of

QUOTE = "'"


@dataclass(frozen=True)
class Source:
    """One run behind a number, and the job and attempts that its value came from."""

    run: str
    cell: str
    seed: int
    value: float | None
    job: str | None
    attempts: str | None
    code: str
    changes: tuple[str, ...]
    machine: str

    def __str__(self) -> str:
        value = "none yet" if self.value is None else f"{self.value:.6g}"
        place = f"job {self.job}, attempt {self.attempts}" if self.job else "no job yet"
        return f"  seed {self.seed}: {value} from {self.run}, {place}"


@dataclass(frozen=True)
class Trace:
    """Where a number comes from: the query that gives it, its value in each cell, and every run behind it.

    `changes` are the files with what differed from the commit, one for each state of the code that ran.
    """

    metric: str
    sql: str
    cells: tuple[Mapping[str, Any], ...]
    sources: tuple[Source, ...]
    changes: tuple[Path, ...]

    def lines(self) -> list[str]:
        """Return what a person reads: the query, each cell with its runs, then code and machines and who used them."""
        by_cell = {row["cell"]: row for row in self.cells}
        lines = [f"sql: {self.sql}"]
        for cell in dict.fromkeys(source.cell for source in self.sources):
            lines.append(_cell_text(cell, by_cell.get(cell)))
            lines += [str(source) for source in self.sources if source.cell == cell]
        lines += _group_lines("code", [(source.code, source.run) for source in self.sources])
        lines += [f"changes: {path}" for path in self.changes]
        return lines + _group_lines("machine", [(source.machine, source.run) for source in self.sources])


def _cell_text(cell: str, row: Mapping[str, Any] | None) -> str:
    if row is None:
        return f"{cell}: no value yet"
    spread = "" if row["std"] is None else f", std {row['std']:.6g}, 95 % [{row['low']:.6g}, {row['high']:.6g}]"
    mean = "none" if row["mean"] is None else f"{row['mean']:.6g}"
    return f"{cell}: mean {mean}{spread}, n {row['n']}"


def _group_lines(label: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Say a thing once where it is the same for all runs, else each with its runs."""
    texts = list(dict.fromkeys(text for text, _ in pairs if text))
    if len(texts) == 1:
        return [f"{label}: {texts[0]}"]
    return [f"{label}: {text} ({', '.join(run for one, run in pairs if one == text)})" for text in texts]


def trace_number(results: Home | Snapshot, name: str, metric: str) -> Trace:
    """Return where `metric` of `EXPERIMENT/ARM` (or of a run's arm) comes from. Raises QueryError for other names."""
    with one_snapshot(results) as snapshot:
        arm = _arm_of(snapshot, name) if "/" not in name else name
        found = find_arm_runs(snapshot, arm, metric)
        if found.is_trial and metric_of(metric).images == "test":
            what = f"{name} is a trial, and {metric} is of test images, by which nobody may choose"
            raise QueryError(what, fix=f"name a figure that trials are chosen by: xp trace {name} val_top1")
        asked = {"experiment": found.experiment, "arm": found.arm, "metric": metric}
        origins = {row["run"]: row for row in snapshot.ask("trace_origins", **asked)}
        cells = snapshot.ask("trace_cells", **asked)
    sources = tuple(_source(run, origins.get(run["run"], {}), metric) for run in found.runs)
    where = " and ".join(f"{column} = '{value.replace(QUOTE, QUOTE * 2)}'" for column, value in asked.items())
    sql = f"select cell, n, mean, std, low, high from cells where {where}"
    digests = dict.fromkeys(digest for source in sources for digest in source.changes)
    changes = [snapshot.home.changes(digest) for digest in digests]
    return Trace(metric, sql, tuple(cells), sources, tuple(path for path in changes if path.exists()))


def _arm_of(snapshot: Snapshot, run: str) -> str:
    """Return the arm of a run as the tables of a report name it, else the name as it came."""
    rows = snapshot.ask("trace_run", run=run)
    return str(rows[0]["name"]) if rows else run


def _source(run: Mapping[str, Any], origin: Mapping[str, Any], metric: str) -> Source:
    code, machine, changes = origin.get("code") or "", origin.get("machine") or "", origin.get("changes") or ()
    place = origin.get("job"), origin.get("attempts")
    return Source(run["run"], run["cell"], run["seed"], run[metric], *place, code, tuple(changes), machine)
