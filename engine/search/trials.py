"""A drawn point as work: takes a study and settings, gives the runs and jobs of a record, or why they cannot be.

A trial is an arm of its own with the settings drawn, and its jobs are those that anybody would have who wrote them
down: what was done before, in whatever experiment, is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from engine.errors import DataError, SpecError
from engine.home.paths import Home
from engine.load.cells import settings_problem
from engine.load.messages import explain_error
from engine.plan import Plan, Run, make_plan
from engine.plan.estimate import estimate_plan
from engine.plan.subset import needed_jobs
from engine.schedule.submit import record_entries, write_jobs
from engine.search.decisions import Stage, Study
from engine.spec.cells import expand_cells
from engine.spec.identity import make_id
from engine.spec.search import Bound, Search
from engine.spec.trial_arms import only_drawn
from store.metrics import METRICS

MEASURED = ("measured[", "largest[", "smallest[")  # where the measure job's figures stand in a metric's source


@dataclass(frozen=True)
class Work:
    """What a trial adds to its record."""

    runs: tuple[Mapping[str, Any], ...]
    jobs: tuple[Mapping[str, Any], ...]


class Impossible(Exception):
    """Settings that no network has, or that this data cannot have; in words."""


def plan_trial(study: Study, home: Home, arm: str, trial_arm: str, settings: Mapping[str, Any], stage: Stage) -> Work:
    """Return the runs and jobs of a trial, and write the jobs' folders. Raises Impossible."""
    search, final = study.search, study.search.final
    seeds = list(final.seeds) if stage == "final" and final is not None else study.spec.seeds[:1]
    spec = only_drawn(study.spec, {trial_arm: (arm, settings)}, seeds)
    try:
        for cell in expand_cells(spec):
            if problem := settings_problem(cell.settings):
                raise Impossible(problem)
        plan = make_plan(spec, home)
    except ValidationError as error:
        first = explain_error(error.errors(include_url=False)[0])
        raise Impossible(f"{'.'.join(map(str, first.path))}: {first.what}") from error
    except (DataError, SpecError) as error:  # SpecError: own code that was drawn, and that does not do
        raise Impossible(error.what) from error
    # A best that another trial took the place of is another run: nobody is to take its figures for the other's.
    kept = _keep_roles(plan, _left_out(search, stage), [dict(settings)] if stage == "final" else [])
    write_jobs(home, kept)
    entries = record_entries(kept, estimate_plan(kept, home, {}))
    return Work(tuple(entries["runs"]), tuple(entries["jobs"]))


def is_gated(search: Search, work: Work) -> bool:
    """Whether a bound is on what a network alone decides, and this one's can be measured before it is trained."""
    measure = [run["jobs"].get("measure") for run in work.runs]
    needs = {entry["job"]: entry["needs"] for entry in work.jobs}
    return bool(gates(search)) and all(job is not None and not needs[job] for job in measure)


def gates(search: Search) -> dict[str, Bound]:
    """Return the bounds on figures that a measure job has."""
    return {name: bound for name, bound in search.constraint.items() if METRICS[name].source.startswith(MEASURED)
            or any(f"({start}" in METRICS[name].source for start in MEASURED)}  # fmt: skip


def _left_out(search: Search, stage: Stage) -> frozenset[str]:
    """Return the roles that a trial goes without: maps, and speeds that nobody asks for."""
    if stage == "final":
        return frozenset()
    wanted = [*search.metrics, *search.constraint]
    is_measured = any(start in METRICS[name].source for name in wanted for start in MEASURED)
    return frozenset({"explain"} if is_measured else {"explain", "measure"})


def only_measured(work: Work) -> Work:
    """Return what a gated trial begins with: its measuring alone.

    The training that may follow counts as what waits for it, so that it comes before the trainings of other trials:
    else those of one arm would keep another waiting.
    """
    whole = sum(entry["cost"] or 0.0 for entry in work.jobs)
    runs = tuple({**run, "jobs": {"measure": run["jobs"]["measure"]}} for run in work.runs)
    wanted = {run["jobs"]["measure"] for run in runs}
    return Work(runs, tuple({**entry, "chain": whole} for entry in work.jobs if entry["job"] in wanted))


def _keep_roles(plan: Plan, left_out: frozenset[str], told: list[Any]) -> Plan:
    runs = tuple(_trimmed(plan.spec.name, run, left_out, told) for run in plan.runs)
    wanted = needed_jobs({job.key: job for job in plan.jobs}, runs)
    return replace(plan, runs=runs, jobs=tuple(job for job in plan.jobs if job.key in wanted))


def _trimmed(name: str, run: Run, left_out: frozenset[str], told: list[Any]) -> Run:
    """Return the run without some of its jobs. Its id is its place: it stays while its jobs become more."""
    jobs = {role: job for role, job in run.jobs.items() if role not in left_out}
    return replace(run, run=make_id("run", [name, run.arm, run.cell, run.seed, "trial", *told]), jobs=jobs)
