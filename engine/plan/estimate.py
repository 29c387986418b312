"""What a plan still costs: takes a plan and a home, gives each job's state and the seconds and bytes to spend.

Seconds come from jobs of the same kind that this home has done; before the first one they are a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine.home.files import read_object
from engine.home.paths import Home
from engine.plan import Job, Plan

GUESS = 2.0e-3  # seconds an image, before anything was measured here
OVERHEAD = 0.3  # seconds a job, beside its images
NEWEST = 5  # records that are looked at
FINISHED = "done"


@dataclass(frozen=True)
class JobEstimate:
    """One job of a plan as this home stands: `state` is `new` where it was never submitted."""

    job: Job
    state: str
    seconds: float

    @property
    def is_reused(self) -> bool:
        return self.state == FINISHED


@dataclass(frozen=True)
class Estimate:
    """A plan against a home; `seconds` and `bytes` count only what is not done."""

    jobs: tuple[JobEstimate, ...]
    seconds: float
    bytes: int


def estimate_plan(plan: Plan, home: Home, states: Mapping[str, str]) -> Estimate:
    """Return what of `plan` is there and what is left; `states` are the queue's, by job."""
    rates = _seconds_per_image(home)
    jobs = tuple(_estimate_job(job, home, states, rates) for job in plan.jobs)
    left = [item for item in jobs if not item.is_reused]
    return Estimate(jobs, round(sum(item.seconds for item in left), 1), sum(item.job.bytes for item in left))


def _estimate_job(job: Job, home: Home, states: Mapping[str, str], rates: Mapping[str, float]) -> JobEstimate:
    done = job.job is not None and home.job(job.job).result.exists()
    state = FINISHED if done else states.get(job.job or "", "new")
    seconds = OVERHEAD + job.images * rates.get(job.kind, GUESS)
    return JobEstimate(job, state, round(seconds, 1))


def _seconds_per_image(home: Home) -> dict[str, float]:
    """Return the median seconds per image of each kind, over what the newest records of this home have done."""
    records = [home.records(folder.name)[-1] for folder in _newest_experiments(home)]
    seen: dict[str, list[float]] = {}
    for job in (job for record in records for job in (read_object(record) or {}).get("jobs", ())):
        rate = _measured_rate(job, home)
        if rate is not None:
            seen.setdefault(job["kind"], []).append(rate)
    return {kind: median(rates) for kind, rates in seen.items()}


def _newest_experiments(home: Home) -> list[Any]:
    folders = [folder for folder in home.experiments() if home.records(folder.name)]
    return sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)[:NEWEST]


def _measured_rate(job: Mapping[str, Any], home: Home) -> float | None:
    images = job.get("images", 0)
    seconds = (read_object(home.job(job["job"]).result) or {}).get("seconds") if images else None
    # A damaged result says nothing of how long a job takes.
    return seconds / images if isinstance(seconds, int | float) else None
