"""A run of another tool: takes what its files say, gives one form of it, whichever tool wrote it.

Values are read when they are asked for, one run at a time: two hundred runs are more than memory should hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.errors import DataError

Tool = Literal["mlflow", "wandb", "tensorboard", "neptune"]


OURS, GIVEN = "xp.", "xp.tag."  # how tags that xp exports begin: its own, and those that the run had


class BrokenRun(DataError):
    """One run of many cannot be read: it is left out, and said."""


@dataclass
class Series:
    """The values of one metric in the order in which they were logged; times are unix seconds, None where unknown."""

    steps: list[int] = field(default_factory=list)
    times: list[float | None] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: int, time: float | None, value: float) -> None:
        self.steps.append(step)
        self.times.append(time)
        self.values.append(value)


@dataclass
class Values:
    """All numbers of a run by metric, and how many things of which kind are no numbers and stay where they are."""

    series: dict[str, Series] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def of(self, name: str) -> Series:
        return self.series.setdefault(name, Series())

    def leave(self, kind: str, count: int = 1) -> None:
        self.left[kind] = self.left.get(kind, 0) + count


@dataclass(frozen=True)
class ForeignRun:
    """A run as its tool tells of it.

    `group` is the tool's experiment or project; `status` the tool's own word; times are unix seconds. `params` and
    `tags` keep their names, nested where the tool nests them. `artifacts` is where its files lie, which stay there.
    """

    group: str
    id: str
    name: str
    source: Path
    read_values: Callable[[], Values]
    status: str = ""
    started: float | None = None
    ended: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, Any] = field(default_factory=dict)
    artifacts: str = ""
    note: str = ""


@dataclass(frozen=True)
class Found:
    """What a reader found at a path: runs, and a line for each that is left out."""

    runs: Sequence[ForeignRun]
    left_out: Sequence[str] = ()


def marked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags under names that no setting has, for tools that keep both in one place."""
    return {key if key.startswith(OURS) else f"{GIVEN}{key}": value for key, value in tags.items()}


def unmarked_tags(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tags among what a tool kept in one place, by the names that they had before."""
    return {key.removeprefix(GIVEN): value for key, value in told.items() if key.startswith(OURS)}
