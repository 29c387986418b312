"""`xp.plan`: takes a spec and a home, gives what it would cost as an object that shows a table by arm and cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.api.places import AnyHome, find_home
from engine.api.showing import html_table, text_table
from engine.api.specs import AnySpec, allow_code, load
from engine.home.access import written_as_home
from engine.inspect.progress_text import clock_text, size_text
from engine.plan import Plan, make_plan
from engine.plan.estimate import Estimate, estimate_plan
from store.queue import Queue

if TYPE_CHECKING:
    from engine.inspect.outlay import Outlay

HEADS = ("arm", "cell", "runs", "jobs", "reused", "from", "seconds", "disk")
SHARED = "(shared)"


@dataclass(frozen=True)
class PlanView:
    """A plan and what is left of it to do; shown, it is a table."""

    plan: Plan = field(repr=False)
    estimate: Estimate = field(repr=False)
    rows: tuple[Outlay, ...] = field(repr=False)

    @property
    def name(self) -> str:
        return self.plan.spec.name

    @property
    def seconds(self) -> float | None:
        """Of the clock, until all is done; None while something is missing that decides it."""
        return None if self.plan.is_provisional else self.estimate.seconds

    @property
    def bytes(self) -> int:
        """Of disk, still to be written."""
        return self.estimate.bytes

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is missing, refused, or most likely not meant."""
        made = self.plan
        return tuple(dict.fromkeys((*made.spec.doubts, *made.missing, *made.refused, *made.warnings)))

    @property
    def total(self) -> str:
        left = sum(not item.is_reused for item in self.estimate.jobs)
        spent = "a time that is not known yet" if self.seconds is None else f"about {clock_text(self.seconds)}"
        count = f"{len(self.plan.runs)} runs, {len(self.plan.jobs)} jobs, {left} to do"
        return f"{count}: {spent}, {size_text(self.bytes)} of disk"

    @property
    def notes(self) -> tuple[str, ...]:
        return (self.total, *self.plan.notes, *(f"warning: {line}" for line in self.warnings))

    def __str__(self) -> str:
        return text_table(HEADS, [_told(row) for row in self.rows], self.notes)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html_table(self.name, HEADS, [_told(row) for row in self.rows], self.notes)


def plan(spec: AnySpec, home: AnyHome = None, *, on_cpu: bool = False, trust: bool = False) -> PlanView:
    """Return what a spec, or its file or mapping, needs here: runs, jobs, what is reused, seconds and disk.

    Writes no job. With `trust` your own code that the spec names may run in this home, until it is changed. Raises
    XpError as `xp.load` does, and DataError when images are there and cannot be used.
    """
    from engine.inspect.outlay import sum_outlays  # loads duckdb

    place = find_home(home, create=True)
    with written_as_home(place.root):
        loaded = load(spec)
        allow_code(loaded, place, trust=trust)
        made = make_plan(loaded, place, on_cpu=on_cpu)
        with Queue.open_readonly(place.queue_db) as queue:
            estimate = estimate_plan(made, place, queue.job_states())
        return PlanView(made, estimate, tuple(sum_outlays(made, estimate, place)))


def _told(row: Outlay) -> tuple[str, ...]:
    spent = "?" if row.seconds is None else f"{row.seconds:.1f}"
    counts = (str(row.runs) if row.arm else "", str(row.jobs), str(row.reused))
    return (row.arm or SHARED, row.cell, *counts, ", ".join(row.origins), spent, size_text(row.bytes))
