"""What a plan costs by arm and cell: takes a plan, its estimate and a home, gives a row each, and what is reused.

A job that several rows need stands in a row of its own, the first: so that rows add up, and one sees what sharing is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.analysis.lacking import Price, price_jobs
from engine.home.paths import Home
from engine.plan import Plan, Run
from engine.plan.estimate import Estimate, JobEstimate
from engine.plan.subset import needed_jobs
from store.queue import Queue

ITSELF = "itself"
NOBODY = "no experiment"


@dataclass(frozen=True)
class Outlay:
    """One arm at one cell; `arm` is None for the jobs that several of them need.

    Seconds are of work, all jobs one after the other, and None where something is missing that decides them. CPU hours
    are those of the threads that a job's network is given. `memory` is the most that one of its jobs takes of its
    device. All of them count only what is not done; `origins` are whose the reused jobs are.
    """

    arm: str | None
    cell: str
    runs: int
    jobs: int
    reused: int
    origins: tuple[str, ...]
    seconds: float | None
    gpu_hours: float
    cpu_hours: float
    bytes: int
    memory: int

    def as_json(self) -> dict[str, Any]:
        told = asdict(self)
        return {**{name: value for name, value in told.items() if name != "origins"}, "reused_from": list(self.origins)}


@dataclass(frozen=True)
class JobRow:
    """A job of a plan with what it is to whom: its role, and the arms, cells and seeds that need it."""

    item: JobEstimate
    role: str
    arms: tuple[str, ...]
    cells: tuple[str, ...]
    seeds: tuple[int, ...]
    memory: int


def sum_outlays(plan: Plan, estimate: Estimate, home: Home) -> list[Outlay]:
    """Return what several rows share, if anything, and then a row for each arm at each cell, in the spec's order."""
    rows: dict[tuple[str, str], list[Run]] = {}
    for run in plan.runs:
        rows.setdefault((run.arm, run.cell), []).append(run)
    known = {job.key: job for job in plan.jobs}
    needed = {place: needed_jobs(known, runs) for place, runs in rows.items()}
    users: dict[str, int] = {}
    for keys in needed.values():
        for key in keys:
            users[key] = users.get(key, 0) + 1
    maker = _Maker(estimate, price_jobs(estimate), find_origins(plan, estimate, home))
    shared = [key for key, count in users.items() if count > 1]
    own = [
        maker.make(arm, cell, len(runs), [key for key in needed[arm, cell] if users[key] == 1])
        for (arm, cell), runs in rows.items()
    ]
    return [*([maker.make(None, "", 0, shared)] if shared else []), *own]


class _Maker:
    """Makes rows of jobs by their keys."""

    def __init__(self, estimate: Estimate, prices: Mapping[str, Price], origins: Mapping[str, str]) -> None:
        self.estimate, self.prices, self.origins = estimate, prices, origins
        self.items = {item.job.key: item for item in estimate.jobs}

    def make(self, arm: str | None, cell: str, runs: int, keys: Sequence[str]) -> Outlay:
        items = [self.items[key] for key in keys]
        left = [item for item in items if not item.is_reused]
        is_known = all(item.job.reason is None for item in left)
        return Outlay(
            arm, cell, runs, len(items), len(items) - len(left),
            tuple(dict.fromkeys(sorted((self.origins[key] for key in keys if key in self.origins), key=_own_first))),
            sum(item.seconds for item in left) if is_known else None,
            sum(self.prices[item.job.key].gpu_hours for item in left),
            sum(self._cpu_hours(item) for item in left),
            sum(item.bytes for item in left),
            max((self.estimate.memory(item.job) for item in left), default=0),
        )  # fmt: skip

    def _cpu_hours(self, item: JobEstimate) -> float:
        if self.prices[item.job.key].gpu_hours:
            return 0.0
        probes = self.estimate.works[item.job.key].probes
        return item.seconds * max((one.probe.threads for one in probes), default=1) / 3600


def _own_first(origin: str) -> tuple[bool, str]:
    return origin != ITSELF, origin


def find_origins(plan: Plan, estimate: Estimate, home: Home) -> dict[str, str]:
    """Return of each reused job whose it is: `itself`, another experiment, or the folder of another home."""
    reused = [item.job.key for item in estimate.jobs if item.is_reused]
    with Queue.open_readonly(home.queue_db) as queue:
        owners = queue.owners(reused, None)
    found: dict[str, set[str]] = {}
    for owner in owners:
        found.setdefault(owner.job, set()).add(owner.experiment)
    return {key: _lender(home, key) or _owner(found.get(key, set()), plan.spec.name) for key in reused}


def _owner(experiments: set[str], own: str) -> str:
    return ITSELF if own in experiments else min(experiments, default=NOBODY)


def _lender(home: Home, key: str) -> str:
    """Return the home that lends a job, "" for one of this home."""
    folder = home.job(key).root
    return os.path.dirname(os.path.dirname(os.path.realpath(folder))) if folder.is_symlink() else ""


def total_outlay(rows: Sequence[Outlay]) -> Outlay:
    """Return what all rows come to; the time is not known where that of one is not."""
    known = [row.seconds for row in rows if row.seconds is not None]
    origins = dict.fromkeys(sorted((one for row in rows for one in row.origins), key=_own_first))
    return Outlay(
        arm=None,
        cell="",
        runs=sum(row.runs for row in rows),
        jobs=sum(row.jobs for row in rows),
        reused=sum(row.reused for row in rows),
        origins=tuple(origins),
        seconds=sum(known) if len(known) == len(rows) else None,
        gpu_hours=sum(row.gpu_hours for row in rows),
        cpu_hours=sum(row.cpu_hours for row in rows),
        bytes=sum(row.bytes for row in rows),
        memory=max((row.memory for row in rows), default=0),
    )


def list_job_rows(plan: Plan, estimate: Estimate) -> list[JobRow]:
    """Return the jobs in the plan's order, each with whom it is for."""
    users: dict[str, dict[tuple[str, str, str, int], None]] = {}
    for run in plan.runs:
        for role, key in run.jobs.items():
            users.setdefault(key, {})[role, run.arm, run.cell, run.seed] = None
    return [_job_row(item, [*users.get(item.job.key, {})], estimate.memory(item.job)) for item in estimate.jobs]


def _job_row(item: JobEstimate, users: Sequence[tuple[str, str, str, int]], memory: int) -> JobRow:
    role = users[0][0] if users else item.job.kind
    arms, cells = dict.fromkeys(user[1] for user in users), dict.fromkeys(user[2] for user in users)
    return JobRow(item, role, tuple(arms), tuple(cells), tuple(sorted({user[3] for user in users})), memory)
