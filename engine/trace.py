"""A number back to its sources: takes an arm and a metric, gives the SQL, runs, jobs, attempts, code and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.compare import NO_FIGURES, ask
from engine.errors import QueryError, closest_hint
from engine.home import Home


@dataclass(frozen=True)
class Source:
    """One run behind a number, and the job and attempt that its value came from."""

    run: str
    cell: str
    seed: int
    value: float | None
    job: str | None
    attempts: str | None
    code: str | None
    machine: str | None

    def __str__(self) -> str:
        value = "none yet" if self.value is None else f"{self.value:.6g}"
        place = f"job {self.job} (attempts {self.attempts})" if self.job else "no job yet"
        return f"{self.run} [{self.cell}] seed {self.seed}: {value} from {place}; code {self.code}; {self.machine}"


@dataclass(frozen=True)
class Trace:
    """Where a number comes from: the query that gives it, its value in each cell, and every run behind it."""

    metric: str
    sql: str
    cells: tuple[Mapping[str, Any], ...]
    sources: tuple[Source, ...]

    def lines(self) -> list[str]:
        cells = [
            f"{row['cell']}: mean {_number(row['mean'])}, std {_number(row['std'])}, n {row['n']}" for row in self.cells
        ]
        return [f"sql: {self.sql}", *cells, *map(str, self.sources)]


def trace_number(home: Home, name: str, metric: str) -> Trace:
    """Return where `metric` of `EXPERIMENT/ARM` comes from. Raises QueryError for names that are not there."""
    experiment, _, arm = name.partition("/")
    runs = ask(home, "compare_runs", experiment=experiment, arm=arm)
    if not runs:
        known = [row["name"] for row in ask(home, "trace_arms")]
        raise QueryError(f"there is no arm {name!r}", fix=closest_hint(name, known) if known else "submit one first")
    if metric not in runs[0] or metric in NO_FIGURES:
        raise QueryError(
            f"there is no metric {metric!r}",
            fix=closest_hint(metric, [key for key in runs[0] if key not in NO_FIGURES]),
        )
    origins = {row["run"]: row for row in ask(home, "trace_origins", experiment=experiment, arm=arm, metric=metric)}
    sources = [_source(run, origins.get(run["run"], {}), metric) for run in runs]
    words = [part.replace("'", "''") for part in (experiment, arm, metric)]
    columns = "cell, n, mean, std, low, high"
    where = "experiment = '{}' and arm = '{}' and metric = '{}'".format(*words)
    sql = f"select {columns} from cells where {where}"
    cells = ask(home, "trace_cells", experiment=experiment, arm=arm, metric=metric)
    return Trace(metric, sql, tuple(cells), tuple(sources))


def _source(run: Mapping[str, Any], origin: Mapping[str, Any], metric: str) -> Source:
    code, machine = origin.get("code"), origin.get("machine")
    return Source(
        run["run"], run["cell"], run["seed"], run[metric], origin.get("job"), origin.get("attempts"), code, machine
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
