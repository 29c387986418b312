"""A paper's numbers as they were: takes an experiment, gives a file of its cells, and what changed since then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import QueryError, closest_hint
from engine.home.files import write_json
from engine.home.paths import Home
from engine.home.pins import write_pin
from store.amounts import counted

FROZEN_VERSION = 1
ENDING = ".frozen.json"
PARTS = {"experiment", "cells"}
SAME = 1e-12  # relative: sums in another order differ in the last bits


@dataclass(frozen=True)
class Change:
    """A number of the frozen table that is another one now, is gone, or is new."""

    arm: str
    cell: str
    metric: str
    before: Mapping[str, Any] | None
    now: Mapping[str, Any] | None
    is_alone: bool = True
    """Whether its cell has other numbers both before and now, so that this figure alone came or went."""

    def __str__(self) -> str:
        name = f"{self.arm} [{self.cell}] {self.metric}"
        if self.before is None or self.now is None:
            kind, only = ("new", self.now) if self.before is None else ("gone", self.before)
            return f"{name}: {kind} ({_show(only)}), {self.reason}"
        return f"{name}: {_show(self.before)} -> {_show(self.now)}, {self.reason}"

    @property
    def reason(self) -> str:
        """Why it is another one, as far as the two tables show: other runs, or other samples or figures of the same."""
        if self.before is None or self.now is None:
            return say("alone_moved" if self.is_alone else "cell_moved")
        first, second = (set(_runs_of(row)) for row in (self.before, self.now))
        if first != second:
            return _run_changes(first, second)
        if not _is_close(self.before["mean"], self.now["mean"]):
            return say("other_figures")
        if self.before["n"] != self.now["n"]:
            return say("other_samples", now=self.now["n"], before=self.before["n"])
        return say("other_spread")


def freeze_numbers(results: Home | Snapshot, name: str, path: Path | None = None) -> Path:
    """Write every cell of an experiment and the runs behind it to `path` (./<name>.frozen.json) and return it.

    A file that is there stays as it is: what a paper was held against is not to be lost to a second freeze. Raises
    QueryError when it holds anything but these numbers, and for an experiment that is not in the results.
    """
    target, cells = path or Path(f"{name}{ENDING}"), _read_cells(results, name)
    home = results.home if isinstance(results, Snapshot) else results
    if target.exists():
        if not _is_frozen_as(target, name, cells):
            fix = "choose another with -o, or remove this one"
            raise QueryError("there is a file of this name with other content", where=str(target), fix=fix)
        return _pinned(home, name, target, cells)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(target, {"version": FROZEN_VERSION, "experiment": name, "cells": cells})
    except OSError as error:
        fix = "choose another file with -o"
        raise QueryError(f"cannot write the frozen numbers: {error.strerror}", where=str(target), fix=fix) from error
    return _pinned(home, name, target, cells)


def _pinned(home: Home, name: str, target: Path, cells: Sequence[Mapping[str, Any]]) -> Path:
    """Let the home know what rests on it: neither `xp gc` nor `xp rm` takes these runs from under a paper."""
    write_pin(home, name, "frozen numbers", target, [run for row in cells for run in _runs_of(row)])
    return target


def list_changes(results: Home | Snapshot, name: str, frozen: Path | str) -> list[Change]:
    """Return which frozen numbers of an experiment are not the same now, in the order of arms, cells and metrics.

    `frozen` is a file that `freeze_numbers` wrote, or what such a file is called without its ending. Raises QueryError
    for what is no frozen table, or one of another experiment, and for an experiment that is gone.
    """
    path = _find_frozen(str(frozen))
    about = _read_frozen(path)
    if about["experiment"] != name:
        fix = f"xp report {about['experiment']} --against {frozen}"
        raise QueryError(f"these are the numbers of {about['experiment']!r}, not of {name!r}", where=str(path), fix=fix)
    return _changes_between(about["cells"], _read_cells(results, name))


def _changes_between(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> list[Change]:
    before, now = ({_key(row): row for row in rows} for rows in (first, second))
    stay = {key[:2] for key in before} & {key[:2] for key in now}
    changes = [Change(*key, before.get(key), now.get(key), key[:2] in stay) for key in sorted({*before, *now})]
    return [one for one in changes if not _is_same(one.before, one.now)]


def _find_frozen(name: str) -> Path:
    path, named = Path(name), Path(f"{name}{ENDING}")
    if path.is_file() or named.is_file():
        return path if path.is_file() else named
    known = [file.name.removesuffix(ENDING) for file in Path().glob(f"*{ENDING}")]
    fix = closest_hint(name, known) if known else "write one with xp freeze NAME"
    raise QueryError(f"there are no frozen numbers {name!r}: neither this file nor {named.name}", fix=fix)


def _is_frozen_as(path: Path, name: str, cells: Sequence[Mapping[str, Any]]) -> bool:
    try:
        frozen = _read_frozen(path)
    except QueryError:
        return False
    return frozen["experiment"] == name and not _changes_between(frozen["cells"], cells)


def _read_cells(results: Home | Snapshot, name: str) -> list[dict[str, Any]]:
    with one_snapshot(results) as snapshot:
        snapshot.check_experiment(name)
        return snapshot.ask("freeze_cells", name=name)


def _read_frozen(path: Path) -> dict[str, Any]:
    try:
        frozen = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        fix = "name a file that xp freeze has written"
        raise QueryError(f"cannot read the frozen numbers: {error}", where=str(path), fix=fix) from error
    if not isinstance(frozen, dict) or frozen.get("version") != FROZEN_VERSION or not frozen.keys() >= PARTS:
        raise QueryError("this is no file of frozen numbers", where=str(path), fix="write one with xp freeze NAME")
    return frozen


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["arm"], row["cell"], row["metric"]


def _runs_of(row: Mapping[str, Any]) -> list[str]:
    """A query gives a list, a table of an earlier xp may have a text."""
    return row["runs"].split(", ") if isinstance(row["runs"], str) else list(row["runs"])


def _run_changes(before: set[str], now: set[str]) -> str:
    counts = [(len(now - before), "more"), (len(before - now), "fewer")]
    told = [f"{counted(count, 'run')} {word}" for count, word in counts if count]
    return say("other_runs", what=" and ".join(told))


def _is_same(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    if before is None or now is None:
        return False
    return before["n"] == now["n"] and all(_is_close(before[name], now[name]) for name in ("mean", "std"))


def _is_close(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is now
    return abs(before - now) <= SAME * max(1.0, abs(before))


def _show(row: Mapping[str, Any] | None) -> str:
    if row is None or row["mean"] is None:
        return "none"
    spread = "" if row["std"] is None else f", std {row['std']:.6g}"
    return f"{row['mean']:.6g}{spread}, n={row['n']}"
