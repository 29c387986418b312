"""A part of a plan: takes a plan and which of its runs, gives a plan of these alone; and a plan with further seeds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from engine.errors import XpError, closest_hint
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


def choose_arms(plan: Plan, arms: Collection[str]) -> Plan:
    """Return the plan of some arms, of all where none is named. Raises XpError with the nearest name for no arm."""
    for arm in arms:
        if arm not in plan.spec.arm_names:
            fix = closest_hint(arm, plan.spec.arm_names)
            raise XpError(f"{plan.spec.name} has no arm {arm!r}", where="--only", fix=fix)
    return keep_runs(plan, {place_of(run) for run in plan.runs if run.arm in arms}) if arms else plan


def needed_jobs(jobs: Mapping[str, Job], runs: Iterable[Run]) -> set[str]:
    """Return the keys of the jobs of runs, and of all that these need; `jobs` are the plan's by their keys."""
    ahead, wanted = [key for run in runs for key in run.jobs.values()], set[str]()
    while ahead:
        key = ahead.pop()
        if key not in wanted:
            wanted.add(key)
            ahead += jobs[key].needs.values()
    return wanted
