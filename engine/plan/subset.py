"""A part of a plan: takes a plan and which of its runs, gives a plan of these alone; and a plan with further seeds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from engine.plan.draft import Job, Plan, Run

Place = tuple[str, str, int]
"""Arm, point of the matrix, seed: what names a run in its experiment."""


def place_of(run: Run) -> Place:
    return run.arm, run.cell, run.seed


def keep_runs(plan: Plan, places: Collection[Place]) -> Plan:
    """Return the plan of the runs at `places` and the jobs that they need, in the plan's own order."""
    runs = tuple(run for run in plan.runs if place_of(run) in places)
    wanted = needed_jobs({job.key: job for job in plan.jobs}, runs)
    return replace(plan, runs=runs, jobs=tuple(job for job in plan.jobs if job.key in wanted))


def needed_jobs(jobs: Mapping[str, Job], runs: Iterable[Run]) -> set[str]:
    """Return the keys of the jobs of runs, and of all that these need; `jobs` are the plan's by their keys."""
    ahead, wanted = [key for run in runs for key in run.jobs.values()], set[str]()
    while ahead:
        key = ahead.pop()
        if key not in wanted:
            wanted.add(key)
            ahead += jobs[key].needs.values()
    return wanted
