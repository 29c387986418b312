"""Which training is profiled: takes a spec, or what a person calls a run of a home; gives the job with all it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import DataError, XpError, closest_hint
from engine.home.files import read_json
from engine.home.paths import Home
from engine.plan import Plan, make_plan
from engine.schedule.lookup import FoundRun, find_match, find_run, list_runs
from engine.spec import Spec
from engine.spec.cells import Cell, expand_cells, merge_trees
from engine.spec.job_file import read_details, read_job
from engine.spec.job_kinds import KINDS, kind_in_id
from engine.spec.job_settings import JobDetails, JobSettings


@dataclass(frozen=True)
class Written:
    """A job as its folder holds it: what was hashed, and how it is done."""

    canonical: Mapping[str, Any]
    details: JobDetails


@dataclass(frozen=True)
class Subject:
    """A training: `jobs` are the job itself and all it needs, by id. `notes` say what a person may not expect."""

    title: str
    job: str
    jobs: Mapping[str, Written]
    notes: tuple[str, ...] = ()

    @property
    def details(self) -> JobDetails:
        return self.jobs[self.job].details

    @property
    def is_pruned(self) -> bool:
        return KINDS[str(self.jobs[self.job].canonical["kind"])].network_role == "prune"

    def on_cpu(self) -> Subject:
        """Return the same training on the CPU, whatever GPU was asked for."""
        own = self.jobs[self.job]
        details = own.details.model_copy(update={"device": "cpu"})
        return replace(self, jobs={**self.jobs, self.job: replace(own, details=details)})

    @property
    def needs(self) -> Mapping[str, str]:
        """Return the jobs that it needs, by role."""
        needed: Mapping[str, str] = self.jobs[self.job].canonical["needs"]
        return needed


def subject_of_spec(spec: Spec, arm: str | None, home: Home, *, on_cpu: bool = False) -> Subject:
    """Return the training of one arm at the first point of the matrix, with the first seed; nothing is submitted.

    The first arm, where none is named. Raises XpError for an arm that the spec has not, DataError where its images or
    weights are missing.
    """
    cell, seed = _find_cell(spec, arm), spec.seeds[0]
    tree = cell.settings.model_dump(exclude_unset=True, by_alias=True)
    plan = make_plan(Spec.model_validate(merge_trees(tree, {"name": spec.name, "seeds": [seed]})), home, on_cpu=on_cpu)
    if plan.is_provisional:
        raise _missing_error(plan)
    run = plan.runs[0]
    jobs = {job.key: Written(job.canonical, job.details) for job in plan.jobs}
    point = "" if cell.cell == "default" else f"/{cell.cell}"
    is_chosen = arm is not None or len(spec.arm_names) == 1
    notes = () if is_chosen else (f"the first arm is profiled; --arm names another: {', '.join(spec.arm_names)}",)
    return _subject(f"{spec.name}/{cell.arm}{point}@{seed}", run.jobs, jobs, notes)


def _find_cell(spec: Spec, arm: str | None) -> Cell:
    cells = list(expand_cells(spec))
    found = next((cell for cell in cells if arm in (None, cell.arm)), None)
    if found is None:
        hint = closest_hint(str(arm), [cell.arm for cell in cells])
        raise XpError(f"{spec.name} has no arm {arm!r}", where="--arm", fix=hint)
    return found


def _missing_error(plan: Plan) -> DataError:
    first, _, fix = (plan.missing[0] if plan.missing else "").partition("\nfix: ")
    reasons = dict.fromkeys(job.reason for job in plan.jobs if job.reason)
    what = first or "; ".join(str(reason) for reason in reasons)
    return DataError(f"nothing can be profiled: {what}", fix=fix or "bring it here, or change the spec")


def subject_of_home(home: Home, name: str, arm: str | None = None) -> Subject:
    """Return the training of a run, an address or a job of a home; of an experiment, the arm's, with its first seed.

    Raises XpError where nothing, or no training, is called so.
    """
    match = None if "/" in name else find_match(home, name)
    if match is not None and match.kind == "job":
        return _subject_of_job(home, match.name)
    if match is not None and match.kind == "experiment":
        run = find_run(home, f"{name}/{arm}", or_first=True) if arm else _only_arm(home, match.name)
    else:
        run = find_run(home, name, or_first=True)
    return _subject(run.name, run.jobs, _closure(home, run.jobs["student"]), ())


def _only_arm(home: Home, experiment: str) -> FoundRun:
    runs = list_runs(home, experiment)
    arms = list(dict.fromkeys(run.arm for run in runs))
    if len(arms) > 1:
        what = f"{experiment} has {len(arms)} arms"
        raise XpError(what, where=experiment, fix=f"name one: xp profile {experiment}/{arms[0]} ({', '.join(arms)})")
    return runs[0]


def _subject_of_job(home: Home, job: str) -> Subject:
    kind = kind_in_id(job)
    if kind is None or not kind.trains:
        trains = ", ".join(name for name, one in KINDS.items() if one.trains)
        raise XpError(f"{job} trains nothing", where=job, fix=f"name a run, or a job of kind {trains}: xp status")
    return Subject(job, job, _closure(home, job))


def _subject(title: str, roles: Mapping[str, str], jobs: Mapping[str, Written], notes: tuple[str, ...]) -> Subject:
    if "prune" in roles:
        notes += (f"its training before pruning is profiled; its recovery is {roles['prune']}",)
    return Subject(title, roles["student"], jobs, notes)


def _closure(home: Home, job: str) -> dict[str, Written]:
    """Return a job of the home and all jobs that it needs, as far as their folders are here."""
    found: dict[str, Written] = {}
    ahead = [job]
    while ahead:
        name = ahead.pop()
        folder = home.job(name)
        if name in found or (name != job and not folder.spec.exists()):
            continue
        needs = read_job(folder, JobSettings).needs
        found[name] = Written(read_json(folder.spec), read_details(folder))
        ahead += needs.values()
    return found
