"""What is put side by side: takes names of arms and runs, gives each with its runs, settings, figures and curves.

A name is EXPERIMENT/ARM, a run's id, or a run as EXPERIMENT/ARM@SEED; what is none is told, and left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engine.analysis.snapshot import Snapshot
from engine.errors import XpError, closest_hint
from engine.home.paths import Home
from engine.serve.curves import MOST_JOBS, Chain, Line
from engine.serve.grouping import Group, summarise
from engine.serve.run_parts import gpus_of
from engine.serve.run_rows import RunLine, RunTable
from engine.serve.trial_runs import is_unseen, submitted_as
from engine.spec.dotted import flatten_settings

MOST_THINGS, MOST_LINES = 12, 24
MOST_RUNS = 400  # of one arm whose settings are read
ALL = ""  # every point of the matrix


@dataclass(frozen=True)
class Thing:
    """An arm or a run: its name, whether it is an arm, and its runs."""

    name: str
    is_arm: bool
    lines: tuple[RunLine, ...]

    @property
    def address(self) -> str:
        """Where it has a page of its own, below the root."""
        return f"e/{submitted_as(self.lines[0].experiment)}" if self.is_arm else f"run/{self.lines[0].run}"

    @property
    def label(self) -> str:
        line = self.lines[0]
        cell = "" if line.cell == "default" else f" {line.cell}"
        return self.name if self.is_arm else f"{line.experiment}/{line.arm}{cell} seed {line.seed}"


@dataclass(frozen=True)
class Chosen:
    """Things side by side at one point of the matrix or all, and what was asked for and is not there."""

    things: tuple[Thing, ...]
    problems: tuple[str, ...]
    cells: tuple[str, ...]
    cell: str = ALL
    _figures: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    _made: dict[tuple[str, str], tuple[Mapping[str, Any], tuple[str, ...]]] = field(default_factory=dict)

    @property
    def is_of_arms(self) -> bool:
        return bool(self.things) and all(thing.is_arm for thing in self.things)

    def read(self, snapshot: Snapshot | None) -> None:
        """Read the settings, jobs and figures of all runs at once."""
        runs = sorted({line.run for thing in self.things for line in thing.lines[:MOST_RUNS]})
        for row in snapshot.ask("serve_chosen", runs=runs) if snapshot and runs else ():
            flat = flatten_settings(json.loads(row["settings"] or "{}"), with_empty=True)
            self._made[row["experiment"], row["run"]] = flat, tuple(row["jobs"])
        for row in snapshot.ask("serve_chosen_figures", runs=runs) if snapshot and runs else ():
            self._figures[row["experiment"], row["run"]] = row

    def differences(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the settings in which the things differ, with what each has."""
        held = [self._settings_of(thing) for thing in self.things]
        paths = sorted({path for one in held for path in one})
        rows = [(path, tuple(one.get(path, "\N{EN DASH}") for one in held)) for path in paths]
        return [(path, values) for path, values in rows if len(set(values)) > 1]

    def _settings_of(self, thing: Thing) -> dict[str, str]:
        texts: dict[str, dict[str, None]] = {}
        for line in thing.lines:
            for path, value in self._made.get((line.experiment, line.run), ({}, ()))[0].items():
                texts.setdefault(path, {})["\N{EN DASH}" if value is None else str(value)] = None
        return {path: ", ".join(values) for path, values in texts.items()}

    def jobs_of(self, line: RunLine) -> tuple[str, ...]:
        return self._made.get((line.experiment, line.run), ({}, ()))[1]

    def _figure_of(self, name: str, line: RunLine) -> float | None:
        known = {} if is_unseen(line.experiment, name) else self._figures.get((line.experiment, line.run), {})
        value = known.get(name)
        return None if value is None else float(value)

    def curve_lines(self, gpus: Mapping[str, float]) -> list[Line]:
        """Return a line for each thing at each point of the matrix, with the chain of each of its seeds."""
        lines: list[Line] = []
        for thing in self.things:
            by_cell: dict[str, list[RunLine]] = {}
            for line in thing.lines:
                by_cell.setdefault(line.cell, []).append(line)
            for cell, runs in by_cell.items():
                name = f"{thing.label}, {cell}" if thing.is_arm and len(by_cell) > 1 else thing.label
                jobs = [self.jobs_of(line) for line in runs]
                chains = tuple(Chain(one, gpus.get(one[0], 0.0)) for one in jobs if one)
                lines.append(Line(name, chains, len(lines)))
        return lines[:MOST_LINES]

    def gpus(self, home: Home, snapshot: Snapshot | None) -> tuple[dict[str, float], list[str]]:
        """Return on how many GPUs each first job of a chain ran, and which things did not run on one, or not only."""
        jobs = [job for thing in self.things for line in thing.lines for job in self.jobs_of(line)][:MOST_JOBS]
        rows = snapshot.ask("serve_origins", jobs=jobs) if snapshot and jobs else []
        devices = {row["job"]: row["device"] for row in rows if row["counts"]}
        found = {job: gpus_of(home, job, devices.get(job)) for job in jobs}
        without = [
            thing.label for thing in self.things
            if not all(found.get(job) for line in thing.lines for job in self.jobs_of(line))
        ]  # fmt: skip
        return found, without

    def figures(self, table: RunTable, names: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the heading of each figure and what each thing has of it: an arm its mean and interval over runs."""
        for name in names:
            column, value = table.columns[name], partial(self._figure_of, name)
            told = tuple(
                summarise(Group(thing.name, thing.lines), column, value).text if thing.is_arm
                else column.write(value(thing.lines[0]))
                for thing in self.things
            )  # fmt: skip
            yield column.heading, told


def choose(table: RunTable, names: Sequence[str], cell: str) -> Chosen:
    """Return what the names mean, each once, and the points of the matrix that they have."""
    things: dict[tuple[bool, str], Thing] = {}
    problems: list[str] = []
    for name in dict.fromkeys(filter(None, map(str.strip, names))):
        try:
            thing = _find(table, name)
        except XpError as error:
            problems.append(f"{error.what}: {error.fix}" if error.fix else error.what)
            continue
        things.setdefault((thing.is_arm, thing.name), thing)
    kept = list(things.values())[:MOST_THINGS]
    if len(things) > MOST_THINGS:
        problems.append(f"{len(things) - MOST_THINGS} more are left out: a page compares {MOST_THINGS}")
    cells = tuple(dict.fromkeys(line.cell for thing in kept if thing.is_arm for line in thing.lines))
    at = cell if cell in cells else ALL
    return Chosen(tuple(at_cell for one in kept if (at_cell := _at(one, at))), tuple(problems), cells, at)


def _at(thing: Thing, cell: str) -> Thing | None:
    lines = tuple(line for line in thing.lines if cell in (ALL, line.cell) or not thing.is_arm)
    return Thing(thing.name, thing.is_arm, lines) if lines else None


def _find(table: RunTable, name: str) -> Thing:
    runs = [line for line in table.lines if line.run == name][:1]
    if runs:
        return Thing(name, is_arm=False, lines=tuple(runs))
    place, _, seed = name.partition("@")
    lines = [line for line in table.lines if f"{line.experiment}/{line.arm}" == place or _place(line) == place]
    if not lines:
        known = list(dict.fromkeys(f"{line.experiment}/{line.arm}" for line in table.lines))
        hint = closest_hint(name, known) if known else "submit an experiment first"
        raise XpError(f"there is no arm or run {name!r}", fix=hint)
    if not seed:
        return Thing(place, is_arm=True, lines=tuple(lines))
    seeded = [line for line in lines if str(line.seed) == seed]
    if len(seeded) != 1:
        seeds = ", ".join(sorted({str(line.seed) for line in lines}))
        raise XpError(f"{name!r} is {len(seeded) or 'no'} {'runs' if seeded else 'run'}", fix=f"its seeds are {seeds}")
    return Thing(seeded[0].run, is_arm=False, lines=tuple(seeded))


def _place(line: RunLine) -> str:
    return f"{line.experiment}/{line.arm}/{line.cell}"
