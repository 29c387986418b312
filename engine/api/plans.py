"""`xp.plan`: takes a spec and a home, gives what it would cost as an object that shows a table by arm and cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.api.places import AnyHome, find_home
from engine.api.showing import html_table, text_table
from engine.api.specs import AnySpec, load
from engine.home.access import written_as_home
from engine.inspect.progress_text import clock_text, size_text
from engine.plan import Plan, Run, make_plan
from engine.plan.estimate import Estimate, estimate_plan
from engine.plan.subset import needed_jobs
from store.queue import Queue

HEADS = ("arm", "cell", "runs", "jobs", "reused", "seconds", "disk")
SHARED = "(shared)"


@dataclass(frozen=True)
class PlanRow:
    """One arm at one cell, or the jobs that several of them need (`arm` is None).

    `seconds` of work and `bytes` of disk count only what is not done; seconds are None while something is missing.
    """

    arm: str | None
    cell: str
    runs: int
    jobs: int
    reused: int
    seconds: float | None
    bytes: int

    def cells(self) -> tuple[str, ...]:
        spent = "?" if self.seconds is None else f"{self.seconds:.1f}"
        counts = (str(self.runs) if self.arm else "", str(self.jobs), str(self.reused))
        return (self.arm or SHARED, self.cell, *counts, spent, size_text(self.bytes))


@dataclass(frozen=True)
class PlanView:
    """A plan and what is left of it to do; shown, it is a table."""

    plan: Plan = field(repr=False)
    estimate: Estimate = field(repr=False)
    rows: tuple[PlanRow, ...] = field(repr=False)

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
        return text_table(HEADS, [row.cells() for row in self.rows], self.notes)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html_table(self.name, HEADS, [row.cells() for row in self.rows], self.notes)


def plan(spec: AnySpec, home: AnyHome = None, *, on_cpu: bool = False) -> PlanView:
    """Return what a spec, or its file or mapping, needs here: runs, jobs, what is reused, seconds and disk.

    Writes no job. Raises XpError as `xp.load` does, and DataError when images are there and cannot be used.
    """
    place = find_home(home, create=True)
    with written_as_home(place.root):
        made = make_plan(load(spec), place, on_cpu=on_cpu)
        with Queue.open_readonly(place.queue_db) as queue:
            estimate = estimate_plan(made, place, queue.job_states())
    return PlanView(made, estimate, tuple(_rows(made, estimate)))


def _rows(made: Plan, estimate: Estimate) -> list[PlanRow]:
    """Return what several rows share, if anything, and then a row for each arm at each cell, so that rows add up."""
    known = {job.key: job for job in made.jobs}
    runs: dict[tuple[str, str], list[Run]] = {}
    for run in made.runs:
        runs.setdefault((run.arm, run.cell), []).append(run)
    needed = {place: needed_jobs(known, own) for place, own in runs.items()}
    users = Counter(key for keys in needed.values() for key in keys)
    shared = [key for key in known if users[key] > 1]
    own = [
        _row(arm, cell, len(runs[arm, cell]), [key for key in sorted(keys) if users[key] == 1], estimate)
        for (arm, cell), keys in needed.items()
    ]
    return [*([_row(None, "", 0, shared, estimate)] if shared else []), *own]


def _row(arm: str | None, cell: str, runs: int, keys: Sequence[str], estimate: Estimate) -> PlanRow:
    wanted = set(keys)
    items = [item for item in estimate.jobs if item.job.key in wanted]
    left = [item for item in items if not item.is_reused]
    is_known = all(item.job.reason is None for item in left)
    seconds = round(sum(item.seconds for item in left), 1) if is_known else None
    return PlanRow(arm, cell, runs, len(items), len(items) - len(left), seconds, sum(item.job.bytes for item in left))
