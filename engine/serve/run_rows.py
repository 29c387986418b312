"""Runs as a table has them: takes a snapshot and the queue, gives every run with its state now, and columns by name.

A column is a field of a run (`arm`), a setting (`train.lr`), a figure of `results` (`test_top1`) or what was logged
step by step (`val_loss:lowest`). Each is read once for a published file; states that changed since are the queue's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from engine.analysis.snapshot import Snapshot
from engine.home.paths import Home
from engine.report.number_text import heading, scale_of, significant
from engine.serve.filtering import Cell, to_number
from engine.serve.trial_runs import TrialNames, is_unseen, submitted_as
from store.metrics import METRICS, Metric
from store.queue import Queue

FIELDS = ("experiment", "arm", "cell", "seed", "split", "state", "run")
PARTS = ("last", "lowest", "highest")
SETTLED = ("done", "queued", "blocked")  # states that only what `changed_states` looks for can end
SINCE = 300.0  # seconds before a publication from which on the queue is asked for states: it may have taken as long


class RunLine(NamedTuple):
    """A run, and the jobs that its figures come from; a tuple, as there are ten thousand of them."""

    run: str
    experiment: str
    arm: str
    cell: str
    seed: int
    split: str
    state: str
    final_job: str | None = None
    measure_job: str | None = None

    @property
    def text(self) -> str:
        """What a typed word is looked for in."""
        return f"{self.experiment} {self.arm} {self.cell} seed {self.seed} {self.state} {self.run}".lower()


@dataclass(frozen=True)
class Column:
    """What stands in a column: its name in an address, its heading, and of a figure the metric that it is."""

    name: str
    heading: str
    kind: str  # field, setting, figure or logged
    metric: Metric | None = None

    @property
    def is_number(self) -> bool:
        return self.kind in ("figure", "logged")

    def write(self, value: Cell) -> str:
        """A value as readers see it; what was not set is a dash."""
        if value is None:
            return "\N{EN DASH}"
        if self.is_number:
            number = to_number(value)
            return (
                "not finite"
                if number is None
                else (scale_of(self.metric).write if self.metric else significant)(number)
            )
        return str(value)


class RunTable:
    """The runs of a home in one published state, and their columns."""

    def __init__(self, home: Home, snapshot: Snapshot | None, experiment: str = "") -> None:
        self.snapshot, self.experiment = snapshot, experiment
        lines = _read_lines(home, snapshot)
        self.experiments = tuple(sorted({line.experiment for line in lines}))
        self.lines = [line for line in lines if experiment in ("", line.experiment)]

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Every column there is, by its name in an address."""
        fields = [Column(name, name, "field") for name in FIELDS]
        settings = [Column(name, name, "setting") for name in self.settings]
        figures = [Column(name, heading(metric), "figure", metric) for name, metric in METRICS.items()]
        logged = [
            Column(f"{name}:{part}", f"{name}, {part}", "logged", METRICS.get(name))
            for name in self.logged for part in PARTS
        ]  # fmt: skip
        return {column.name: column for column in (*fields, *settings, *figures, *logged)}

    @cached_property
    def settings(self) -> Mapping[str, int]:
        """Settings by dotted path, with how many values each has among the runs."""
        rows = self.snapshot.ask("serve_settings", experiment=self.experiment or None) if self.snapshot else []
        return {row["path"].removeprefix("$."): row["n"] for row in rows}

    @cached_property
    def logged(self) -> Sequence[str]:
        return [row["name"] for row in self.snapshot.ask("serve_logged")] if self.snapshot else []

    @cached_property
    def filled(self) -> Sequence[str]:
        """The figures that at least one of the runs has."""
        rows = self.snapshot.ask("serve_filled", experiment=self.experiment or None) if self.snapshot else []
        found = (name for row in rows for name, count in row.items() if count and name in METRICS)
        return [name for name in found if not is_unseen(self.experiment, name)]

    def values(self, name: str) -> Callable[[RunLine], Cell]:
        """Return what gives a run's value of a column."""
        column = self.columns[name]
        if column.kind == "field":
            return lambda line: value if isinstance(value := getattr(line, name), str) else float(value)
        held = self._held(column)
        return lambda line: held.get((line.experiment, line.run))

    def _held(self, column: Column) -> Mapping[tuple[str, str], Cell]:
        if self.snapshot is None:
            return {}
        if column.kind == "setting":
            rows = self.snapshot.ask("serve_setting", path=f"$.{column.name}")
            return {(row["experiment"], row["run"]): _plain(row["value"]) for row in rows}
        if column.kind == "figure":
            rows = self.snapshot.ask("serve_figure", name=column.name)
            seen = (row for row in rows if not is_unseen(row["experiment"], column.name))
            return {(row["experiment"], row["run"]): float(row["value"]) for row in seen}
        name, _, part = column.name.rpartition(":")
        by_run = {row["run"]: row[part] for row in self.snapshot.ask("serve_series", name=name)}
        shown = (line for line in self.lines if not is_unseen(line.experiment, name))
        return {(line.experiment, line.run): by_run.get(line.run) for line in shown}


def _plain(value: str | None) -> Cell:
    """A setting as a person writes it: texts without quotes, numbers as they are, nothing where it is null."""
    if value is None or value == "null":
        return None
    return str(json.loads(value)) if value.startswith('"') else value


def _read_lines(home: Home, snapshot: Snapshot | None) -> list[RunLine]:
    """Return the published runs with the states of now, and before them those that no snapshot has yet."""
    rows = snapshot.ask("serve_runs") if snapshot else []
    lines = [RunLine(**row) for row in rows]
    since = home.results_db.stat().st_mtime - SINCE if snapshot else 0.0
    with Queue.open_readonly(home.queue_db) as queue:
        states = queue.changed_states(since, [line.run for line in lines if line.state not in SETTLED])
        fresh = _fresh_lines(home, queue, Counter(submitted_as(row["experiment"]) for row in rows))
    known = {(line.experiment, line.run) for line in lines}
    unpublished = [line for line in fresh if (line.experiment, line.run) not in known]
    return unpublished + [_with_state(line, states.get((submitted_as(line.experiment), line.run))) for line in lines]


def _fresh_lines(home: Home, queue: Queue, published: Mapping[str, int]) -> list[RunLine]:
    """Return the runs of experiments that have others, or more of them, in the queue than in the snapshot."""
    names = [name for name, count in queue.run_counts().items() if published.get(name) != count]
    trials = TrialNames(home)
    return [
        RunLine(row.run, trials.place(row.experiment, row.arm), row.arm, row.cell, row.seed, "", row.state)
        for name in names
        for row in queue.experiment_rows(name)
    ]  # fmt: skip


def _with_state(line: RunLine, state: str | None) -> RunLine:
    return line if state is None or state == line.state else line._replace(state=state)
