"""A paper's numbers as they were: takes an experiment, gives a file of its cells, and what changed since then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.compare import ask
from engine.errors import QueryError, closest_hint
from engine.home import Home, write_json

FROZEN_VERSION = 1
SAME = 1e-12  # relative: sums in another order differ in the last bits


@dataclass(frozen=True)
class Change:
    """A number of the frozen table that is another one now, is gone, or is new."""

    arm: str
    cell: str
    metric: str
    before: Mapping[str, Any] | None
    now: Mapping[str, Any] | None

    def __str__(self) -> str:
        name = f"{self.arm} [{self.cell}] {self.metric}"
        if self.before is None or self.now is None:
            kind, only = ("new", self.now) if self.before is None else ("gone", self.before)
            return f"{name}: {kind} ({_show(only)})"
        same_runs = self.before["runs"] == self.now["runs"]
        return f"{name}: {_show(self.before)} -> {_show(self.now)}{', from the same runs' if same_runs else ''}"


def freeze_numbers(home: Home, name: str, path: Path | None = None) -> Path:
    """Write every cell of an experiment and the runs behind it to `path` (./<name>.frozen.json) and return it.

    Raises QueryError for an experiment that is not in the results.
    """
    target = path or Path(f"{name}.frozen.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, {"version": FROZEN_VERSION, "experiment": name, "cells": _read_cells(home, name)})
    return target


def list_changes(home: Home, path: Path) -> list[Change]:
    """Return which numbers of a frozen file are not the same now, in the order of arms, cells and metrics.

    Raises QueryError for a file that is no frozen table, or whose experiment is gone.
    """
    frozen = _read_frozen(path)
    before = {_key(row): row for row in frozen["cells"]}
    now = {_key(row): row for row in _read_cells(home, frozen["experiment"])}
    changes = [Change(*key, before.get(key), now.get(key)) for key in sorted({*before, *now})]
    return [one for one in changes if not _is_same(one.before, one.now)]


def _read_cells(home: Home, name: str) -> list[dict[str, Any]]:
    rows = ask(home, "freeze_cells", name=name)
    known = [row["experiment"] for row in ask(home, "claims_experiments")]
    if name not in known:
        fix = closest_hint(name, known) if known else "submit it first: xp submit SPEC"
        raise QueryError(f"there is no experiment {name!r} in the results", fix=fix)
    return rows


def _read_frozen(path: Path) -> dict[str, Any]:
    try:
        frozen = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        fix = "name a file that xp freeze has written"
        raise QueryError(f"cannot read the frozen numbers: {error}", where=str(path), fix=fix) from error
    if not isinstance(frozen, dict) or frozen.get("version") != FROZEN_VERSION:
        raise QueryError("this is no file of frozen numbers", where=str(path), fix="write one with xp freeze NAME")
    return frozen


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["arm"], row["cell"], row["metric"]


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
    spread = "" if row["std"] is None else f" ± {row['std']:.6g}"
    return f"{row['mean']:.6g}{spread}, n={row['n']}"
