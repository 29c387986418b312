"""How things stand: takes a home, gives views of its experiments. Reads queue and heartbeats, takes no write lock."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.home import Home
from store.queue import JobRow, Queue, RunRow

FAILING = ("failed", "cancelled")
MOVING = ("queued", "running")


@dataclass(frozen=True)
class Beat:
    """The last sign of life of a running job, as it wrote it into its heartbeat."""

    phase: str = ""
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    rate: float | None = None
    loss: float | None = None

    @property
    def share(self) -> float:
        return min(1.0, self.step / self.steps) if self.steps else 0.0


@dataclass(frozen=True)
class JobView:
    """A job as a person sees it: whose it is, how far it is, why it stopped."""

    job: str
    kind: str
    state: str
    title: str
    reason: str
    attempts: int
    seconds: float
    running_for: float
    beat: Beat

    @property
    def seconds_left(self) -> float:
        """The estimate, corrected by the pace so far; at least a moment while it runs."""
        if self.state not in (*MOVING, "blocked"):
            return 0.0
        if self.beat.share > 0.05:
            return max(0.1, self.running_for * (1 / self.beat.share - 1))
        return max(0.1, self.seconds - self.running_for)


@dataclass(frozen=True)
class ExperimentView:
    """An experiment: counts by state, its jobs, and how far the whole is (share of estimated seconds)."""

    experiment: str
    runs: dict[str, int]
    jobs: tuple[JobView, ...]

    @property
    def job_counts(self) -> dict[str, int]:
        return dict(Counter(job.state for job in self.jobs))

    @property
    def is_moving(self) -> bool:
        """Whether anything can still happen without a person: dependants of a failed job cannot."""
        return any(job.state in MOVING for job in self.jobs)

    @property
    def seconds_left(self) -> float:
        return sum(job.seconds_left for job in self.jobs)

    @property
    def share(self) -> float:
        whole = sum(job.seconds for job in self.jobs) or 1.0
        done = sum(job.seconds * (1.0 if job.state == "done" else job.beat.share) for job in self.jobs)
        return min(1.0, done / whole)

    @property
    def running(self) -> list[JobView]:
        return [job for job in self.jobs if job.state == "running"]

    @property
    def failures(self) -> list[JobView]:
        return [job for job in self.jobs if job.state in FAILING]

    @property
    def exit_code(self) -> int:
        """0 all done, 1 something failed or was cancelled, 3 not finished."""
        if self.failures:
            return 1
        return 0 if all(job.state == "done" for job in self.jobs) else 3

    def as_json(self) -> dict[str, Any]:
        return {
            "experiment": self.experiment,
            "runs": self.runs,
            "jobs": self.job_counts,
            "share": round(self.share, 4),
            "seconds_left": round(self.seconds_left, 1),
            "running": [_job_json(job) for job in self.running],
            "failures": [_job_json(job) for job in self.failures],
        }


def _job_json(job: JobView) -> dict[str, Any]:
    beat = {name: getattr(job.beat, name) for name in ("phase", "step", "steps", "epoch", "epochs", "rate", "loss")}
    return {"job": job.job, "kind": job.kind, "title": job.title, "state": job.state, "reason": job.reason, **beat}


def read_status(home: Home, experiment: str | None = None) -> list[ExperimentView]:
    """Return a view of each experiment (or of the one named), newest submission first."""
    with Queue.open_readonly(home.queue_db) as queue:
        rows = sorted(queue.experiments(), key=lambda row: row.submitted_at, reverse=True)
        names = [row.experiment for row in rows if experiment in (None, row.experiment)]
        parts = [(name, queue.experiment_rows(name), queue.job_rows(experiment=name)) for name in names]
    return [_view_experiment(home, *part) for part in parts]


def _view_experiment(home: Home, name: str, runs: list[RunRow], jobs: list[JobRow]) -> ExperimentView:
    titles = _job_titles(runs)
    views = tuple(_view_job(home, job, titles.get(job.job, job.kind)) for job in jobs)
    return ExperimentView(name, dict(Counter(run.state for run in runs)), views)


def _job_titles(runs: Iterable[RunRow]) -> dict[str, str]:
    """Name a job by what it does for whom: `student sparse seed 1`; shared ones by their role alone."""
    owners: dict[str, list[tuple[str, RunRow]]] = {}
    for run in runs:
        for role, job in run.jobs.items():
            owners.setdefault(job, []).append((role, run))
    return {job: _title_of(found) for job, found in owners.items()}


def _title_of(found: list[tuple[str, RunRow]]) -> str:
    role, run = found[0]
    arms = list(dict.fromkeys(owner.arm for _, owner in found))
    seeds = {owner.seed for _, owner in found}
    arm = arms[0] if len(arms) == 1 else "" if len(arms) > 2 else " and ".join(arms)
    cell = run.cell if run.cell != "default" and len({owner.cell for _, owner in found}) == 1 else ""
    seed = f"seed {run.seed}" if len(seeds) == 1 and role not in ("teacher", "targets", "pack") else ""
    return " ".join(
        part for part in (role, arm if role not in ("teacher", "targets", "pack") else "", cell, seed) if part
    )


def _view_job(home: Home, row: JobRow, title: str) -> JobView:
    beat, running_for = Beat(), 0.0
    if row.state == "running":
        beat = _read_beat(home, row)
        running_for = max(0.0, time.time() - row.started_at) if row.started_at else 0.0
    return JobView(row.job, row.kind, row.state, title, row.reason, row.attempts, row.seconds, running_for, beat)


def _read_beat(home: Home, row: JobRow) -> Beat:
    try:
        held = json.loads(home.job(row.job).attempt(row.attempts).heartbeat.read_text())
    except (OSError, ValueError):
        return Beat()
    return Beat(**{name: held[name] for name in Beat.__dataclass_fields__ if held.get(name) is not None})
