"""Orders as they are kept: takes what a person ordered, gives it back to who makes the queue anew.

A job's orders stand in its own `control.jsonl`. One about more than MANY jobs is a line of the home's `control.jsonl`
instead, which names them: to open a hundred thousand files takes longer than all else about the order. So is the
priority that an experiment was given.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.home.paths import Home

MANY = 1000  # jobs


@dataclass(frozen=True)
class Given:
    """An order that a person gave to a job; `at` in unix seconds."""

    order: str
    at: float


def keep_order(home: Home, order: str, jobs: Sequence[str]) -> None:
    """Write down that these jobs were given this order."""
    line = {"order": order, "at": time.time()}
    if len(jobs) > MANY:
        _append(home.control, {**line, "jobs": list(jobs)})
        return
    for job in jobs:
        _append(home.job(job).control, line)


def keep_priority(home: Home, experiment: str, priority: int) -> None:
    """Write down that an experiment was given this priority."""
    _append(home.control, {"order": "priority", "at": time.time(), "experiment": experiment, "priority": priority})


def read_priority(home: Home, experiment: str, since: float) -> int | None:
    """Return the priority that an experiment was given last, None where it was given none `since` then."""
    found = None
    for line in _read_objects(home.control):
        asked, at = line.get("priority"), line.get("at")
        is_mine = line.get("order") == "priority" and line.get("experiment") == experiment
        if is_mine and type(asked) is int and isinstance(at, float) and at >= since:
            found = asked
    return found


def _append(path: Path, line: dict[str, Any]) -> None:
    with open(path, "a") as handle:
        handle.write(json.dumps(line) + "\n")


def read_orders(home: Home, jobs: Iterable[str]) -> dict[str, list[Given]]:
    """Return the orders of each of `jobs`, oldest first; torn lines are left out."""
    kept = {job: [given for given, _ in _read_lines(home.job(job).control)] for job in jobs}
    for given, names in _read_lines(home.control):
        for job in names:
            if job in kept:
                kept[job].append(given)
    return {job: sorted(orders, key=lambda given: given.at) for job, orders in kept.items()}


def _read_lines(path: Path) -> Iterator[tuple[Given, list[str]]]:
    for line in _read_objects(path):
        try:
            yield Given(str(line["order"]), float(line["at"])), [str(job) for job in line.get("jobs", ())]
        except (ValueError, KeyError, TypeError):
            continue


def _read_objects(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_text(errors="replace").splitlines() if path.exists() else ():
        with suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, dict):
                yield line
