"""Submitting: takes a plan and a home, writes the jobs, the experiment's record and its rows in the queue.

In that order, each whole or absent, so that a kill between any two leaves something a second submit completes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine.errors import DataError
from engine.home.files import encode_json, write_json, write_together
from engine.home.paths import Home
from engine.home.records import read_record
from engine.home.seals import SELF, seal
from engine.home.users import note_user
from engine.plan import Plan, Run
from engine.plan.estimate import Estimate, estimate_plan
from engine.plan.subset import Place
from engine.schedule.given import read_priority
from engine.schedule.growing import (
    DUE,
    begin_search,
    count_trials,
    jobs_done,
    keep_unsearched,
    mark_search,
    trial_arms,
    with_growth,
)
from engine.schedule.keep.trash import removing
from engine.schedule.policy import chain_seconds
from engine.schedule.searched import drop_progress
from engine.spec.identity import canonical_json
from store.queue import Queue

RECORD_VERSION = 1


@dataclass(frozen=True)
class Filling:
    """How the jobs of a plan are queued: `order` goes first, in this order, `held` is left out for now; and which runs,
    by arm, cell and seed, are `added` to those of the spec."""

    order: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    added: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Submission:
    """What a submit did: the record's number, how many jobs are new or done, and what changed since the last one.

    `warnings` are what is legal and most likely not meant, of the spec and of its plan. `trials` may be asked for now:
    of all arms that are searched together.
    """

    name: str
    number: int
    new: int
    done: int
    changes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    trials: int = 0

    @property
    def has_work(self) -> bool:
        return bool(self.new or self.trials)


def submit_plan(
    plan: Plan,
    home: Home,
    priority: int | None = None,
    filling: Filling = Filling(),
    trial_of: str | None = None,
) -> Submission:
    """Queue what `plan` needs and is not done. The same plan again changes nothing but gives failed jobs a new chance.

    With a `filling` some of its jobs are queued before others, or are in its record and not queued. `trial_of` is the
    experiment whose spec was submitted under another name, beside it.
    Raises DataError, and writes nothing, when data, weights or a variable are missing, or the plan is refused.
    """
    if plan.is_provisional or plan.refused:
        raise _refusal(plan)
    whole, plan = plan, keep_unsearched(plan)
    filling = replace(filling, held=filling.held & {job.key for job in plan.jobs})
    note_user(home)
    # What is done now must not be removed before the record says that it is needed.
    with removing(home):
        # No states are asked for: what has its result on disk is done, and all else is submitted.
        estimate = estimate_plan(plan, home, {})
        write_jobs(home, plan)
        done = {item.job.key for item in estimate.jobs if item.is_reused}
        home.experiment(plan.spec.name).mkdir(parents=True, exist_ok=True)
        # Two submits of one name at once would write the same number.
        with FileLock(home.experiment(plan.spec.name) / ".lock"):
            number, record, changes = _write_record(whole, estimate, home, priority, filling, trial_of)
        with Queue(home.queue_db) as queue:
            queue.add_experiment(record, done | jobs_done(home, record))
        mark_search(home, plan.spec.name, DUE if plan.spec.search is not None else None)
        if not trial_arms(record):
            drop_progress(home, plan.spec.name)
    warnings = (*plan.spec.doubts, *plan.warnings)
    new = len(plan.jobs) - len(done) - len(filling.held - done)
    return Submission(plan.spec.name, number, new, len(done), changes, warnings, count_trials(record, plan.spec))


def write_jobs(home: Home, plan: Plan) -> None:
    """Write what is not there yet, or says otherwise: how a job is done may change, what it is never does."""
    files: dict[Path, str] = {}
    for job in plan.jobs:
        folder, details = home.job(job.key), encode_json(seal(job.details.model_dump(mode="json")))
        if folder.root.is_symlink():  # lent by another home, and as it is there
            continue
        if not folder.spec.exists():
            folder.root.mkdir(parents=True, exist_ok=True)
            files[folder.spec] = encode_json(job.canonical)
        if not _holds(folder.details, details):
            files[folder.details] = details
    write_together(files)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text
    except (OSError, ValueError):
        return False


def _refusal(plan: Plan) -> DataError:
    first, _, fix = next(iter((*plan.missing, *plan.refused)), "").partition("\nfix: ")
    reasons = dict.fromkeys(job.reason for job in plan.jobs if job.reason)
    what = first or "; ".join(str(reason) for reason in reasons)
    return DataError(f"nothing was submitted: {what}", fix=fix or "bring it here, or change the spec")


def _write_record(
    whole: Plan, estimate: Estimate, home: Home, priority: int | None, filling: Filling, trial_of: str | None
) -> tuple[int, dict[str, Any], tuple[str, ...]]:
    """Write the next record unless the newest says the same already; return its number, content and the changes."""
    plan = keep_unsearched(whole)
    paths = home.records(plan.spec.name)
    old = read_record(paths[-1]) if paths else None
    # Without --priority, that of the last submission stays, or what it was given since.
    if old is not None and priority is None:
        given = read_priority(home, plan.spec.name, float(old["submitted_at"]))
        priority = old["priority"] if given is None else given
    record = begin_search(_make_record(plan, estimate, priority or 0, filling), old, whole)
    if trial_of is not None:
        record["trial_of"] = trial_of
    if old is not None and _same_record(old, record):
        return int(paths[-1].stem), old, ()
    number = int(paths[-1].stem) + 1 if paths else 1
    record = seal({**record, "number": number})
    write_json(home.experiment(plan.spec.name) / f"{number}.json", record)
    return number, record, list_changes(old, record) if old else ()


def _make_record(plan: Plan, estimate: Estimate, priority: int, filling: Filling) -> dict[str, Any]:
    spec = plan.spec
    # Only where there are some: other records are as they always were.
    added = {"added": [list(place) for place in filling.added]} if filling.added else {}
    held = {"held": sorted(filling.held)} if filling.held else {}
    return {
        **added,
        **held,
        "version": RECORD_VERSION,
        "name": spec.name,
        "title": spec.title or spec.name,
        "baseline": spec.judged_baseline,
        "submitted_at": time.time(),
        "priority": priority,
        # As it was written: today's defaults would read as words of the spec.
        "spec": spec.model_dump(mode="json", exclude_unset=True),
        "claims": [claim.model_dump(mode="json") for claim in spec.judged_claims],
        **record_entries(plan, estimate, filling),
    }


def record_entries(plan: Plan, estimate: Estimate, filling: Filling = Filling()) -> dict[str, list[Any]]:
    """Return the `runs` and `jobs` of a record."""
    costs = {item.job.key: item.seconds for item in estimate.jobs}
    chains = _in_order(chain_seconds(costs, {job.key: job.needs.values() for job in plan.jobs}), filling.order)
    return {
        "runs": [_run_record(run) for run in plan.runs],
        "jobs": [
            {
                "job": item.job.key,
                "kind": item.job.kind,
                "needs": sorted(item.job.needs.values()),
                "details": item.job.details.model_dump(mode="json"),
                "images": item.job.images,
                "cost": item.seconds,
                "chain": chains[item.job.key],
            }
            for item in estimate.jobs
        ],
    }


def _in_order(chains: Mapping[str, float], order: Sequence[str]) -> dict[str, float]:
    """Lift jobs above all others, the first of `order` highest: the queue begins with the longest chain."""
    step = max(chains.values(), default=0.0) + 1.0
    lifted = {job: step * (len(order) - at) for at, job in enumerate(order) if job in chains}
    return {job: seconds + lifted.get(job, 0.0) for job, seconds in chains.items()}


def _run_record(run: Run) -> dict[str, Any]:
    return {
        "run": run.run,
        "arm": run.arm,
        "cell": run.cell,
        "seed": run.seed,
        "split": run.split,
        "settings": dict(run.settings),
        "jobs": dict(run.jobs),
    }


def write_next(home: Home, name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write a submission that was made from an earlier one, as of now; return it as it was written."""
    with FileLock(home.experiment(name) / ".lock"):
        number = int(home.records(name)[-1].stem) + 1
        kept = {word: value for word, value in record.items() if word != SELF}
        written = seal({**kept, "submitted_at": time.time(), "number": number})
        write_json(home.experiment(name) / f"{number}.json", written)
    return written


def write_again(home: Home, name: str, number: int) -> str:
    """Submit again what was submission `number`, where the one after it is the newest; else return why not."""
    paths = home.records(name)
    old, newest = read_record(home.experiment(name) / f"{number}.json"), read_record(paths[-1])
    if int(paths[-1].stem) == number + 1:
        write_next(home, name, with_growth(old, newest))
        return ""
    return "" if _same_record(old, newest) else f"{name} was submitted again since, and its runs stay as they are now"


def _same_record(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    def essence(record: Mapping[str, Any]) -> str:
        # The guessed costs follow what was measured since; they do not make it another submission.
        jobs = [{**job, "cost": None, "chain": None} for job in record["jobs"]]
        return canonical_json({**record, "submitted_at": None, "jobs": jobs, "number": None, SELF: None})

    return essence(old) == essence(new)


def list_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Say in a line each which runs came, went, or are other runs now under the same arm, cell and seed."""
    before, after = _runs_by_place(old), _runs_by_place(new)
    came = [f"new: {place}" for place in after.keys() - before.keys()]
    went = [f"no longer part: {place}" for place in before.keys() - after.keys()]
    other = [f"changed: {place}" for place in after.keys() & before.keys() if after[place] != before[place]]
    return tuple(sorted(came) + sorted(other) + sorted(went))


def _runs_by_place(record: Mapping[str, Any]) -> dict[str, str]:
    return {f"{run['arm']}, {run['cell']}, seed {run['seed']}": run["run"] for run in record["runs"]}
