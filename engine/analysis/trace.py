"""A number back to its sources: takes an arm and a metric, gives the SQL, runs, jobs, attempts, code and machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.analysis.compare import NO_FIGURES, ask
from engine.errors import QueryError, closest_hint
from engine.home.paths import Home


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
        found = {row["cell"]: row for row in self.cells}
        lines = [f"sql: {self.sql}"]
        for cell in dict.fromkeys(source.cell for source in self.sources):
            lines.append(_cell_text(cell, found.get(cell)))
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


def trace_number(home: Home, name: str, metric: str) -> Trace:
    """Return where `metric` of `EXPERIMENT/ARM` (or of a run's arm) comes from. Raises QueryError for other names."""
    experiment, _, arm = (_arm_of(home, name) if "/" not in name else name).partition("/")
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
    changes = [home.changes(digest) for digest in dict.fromkeys(one for source in sources for one in source.changes)]
    return Trace(metric, sql, tuple(cells), tuple(sources), tuple(path for path in changes if path.exists()))


def _arm_of(home: Home, run: str) -> str:
    """Return the arm of a run as the tables of a report name it, else the name as it came."""
    found = ask(home, "trace_run", run=run)
    return str(found[0]["name"]) if found else run


def _source(run: Mapping[str, Any], origin: Mapping[str, Any], metric: str) -> Source:
    code, machine, changes = origin.get("code") or "", origin.get("machine") or "", origin.get("changes") or ()
    place = origin.get("job"), origin.get("attempts")
    return Source(run["run"], run["cell"], run["seed"], run[metric], *place, code, tuple(changes), machine)
