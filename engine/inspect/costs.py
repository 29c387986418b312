"""What experiments have cost: takes a home, gives GPU-hours and CPU-hours by experiment and by user, as recorded.

Every attempt counts from its start to its end (one that runs, to now), whatever came of it: a share of a GPU as that
share, and on a CPU slot the cores that the job asked for. A job that several experiments need stands in a row of its
own, so that the rows add up. The user of an experiment is who owns the file of its newest submission. What was removed
(`xp rm`, `xp gc`) is not counted any more.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from engine.home.files import read_object
from engine.home.paths import Home
from engine.home.records import jobs_of, newest_records
from engine.inspect.foreign import user_name
from engine.schedule.placing import is_cpu, read_demand
from store.queue import AttemptRow, JobRow, Queue

SHARED, NOBODY = "(shared)", "(no experiment)"


@dataclass
class Cost:
    """A row: hours of GPUs and of CPU cores, and how many attempts took them.

    `shared_*` are the hours of jobs that this experiment and others need: they count in the row `(shared)`.
    """

    name: str
    user: str = ""
    gpu_hours: float = 0.0
    cpu_hours: float = 0.0
    attempts: int = 0
    shared_gpu_hours: float = 0.0
    shared_cpu_hours: float = 0.0

    def add(self, gpu: float, cpu: float, attempts: int) -> None:
        self.gpu_hours += gpu
        self.cpu_hours += cpu
        self.attempts += attempts

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Costs:
    """Experiments, the dearest first, then what is shared and nobody's; and the same by user."""

    experiments: tuple[Cost, ...]
    users: tuple[Cost, ...]

    def as_json(self) -> dict[str, Any]:
        told = {"experiments": self.experiments, "users": self.users}
        return {name: [row.as_json() for row in rows] for name, rows in told.items()}


def sum_costs(home: Home, now: float | None = None) -> Costs:
    """Return what all attempts of the home have cost so far; `now` in unix seconds."""
    owners, names = _owners(home)
    hours = _hours_by_job(home, time.time() if now is None else now)
    rows = {name: Cost(name, user) for name, user in names.items()}
    own = {name: Cost(name) for name in (SHARED, NOBODY)}
    users: dict[str, Cost] = {}
    for job, spent in hours.items():
        mine = sorted(owners.get(job, ()))
        row = rows[mine[0]] if len(mine) == 1 else own[SHARED if mine else NOBODY]
        row.add(*spent)
        for name in mine if len(mine) > 1 else ():
            rows[name].shared_gpu_hours += spent[0]
            rows[name].shared_cpu_hours += spent[1]
        user = _only({rows[name].user for name in mine}, SHARED) if mine else NOBODY
        users.setdefault(user, Cost(user, user)).add(*spent)
    told = [row for row in rows.values() if row.attempts or row.shared_gpu_hours or row.shared_cpu_hours]
    return Costs(_ordered(told, own.values()), _ordered(users.values(), ()))


def _only(names: set[str], other: str) -> str:
    return names.pop() if len(names) == 1 else other


def _ordered(rows: Iterable[Cost], last: Iterable[Cost]) -> tuple[Cost, ...]:
    dear = sorted(rows, key=lambda row: (-row.gpu_hours, -row.cpu_hours, row.name))
    return (*dear, *(row for row in last if row.attempts))


def _owners(home: Home) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Return job -> the experiments that need it, and experiment -> its user; a damaged submission needs nothing."""
    owners: dict[str, set[str]] = defaultdict(set)
    users: dict[str, str] = {}
    for name, path in newest_records(home).items():
        with suppress(OSError):
            users[name] = user_name(path.stat().st_uid)
        record = read_object(path) or {}
        for job in jobs_of(record) if name in users and {"jobs", "runs"} <= record.keys() else ():
            owners[job].add(name)
    return owners, users


def _hours_by_job(home: Home, now: float) -> dict[str, tuple[float, float, int]]:
    """Return job -> GPU-hours, CPU-hours, attempts."""
    with Queue.open_readonly(home.queue_db) as queue:
        attempts = queue.attempt_rows()
        jobs = {row.job: row for row in queue.job_rows()}
    found: dict[str, tuple[float, float, int]] = {}
    for row in attempts:
        gpu, cpu = _spent(row, jobs.get(row.job), now)
        before = found.get(row.job, (0.0, 0.0, 0))
        found[row.job] = (before[0] + gpu, before[1] + cpu, before[2] + 1)
    return found


def _spent(row: AttemptRow, job: JobRow | None, now: float) -> tuple[float, float]:
    hours = max(0.0, (now if row.ended_at is None else row.ended_at) - row.started_at) / 3600
    details: Mapping[str, Any] = job.details if job else {}
    demand = read_demand(job.kind if job else "", details)
    return (0.0, hours * demand.want.cpus) if is_cpu(row.slot) else (hours * demand.gpu, 0.0)
