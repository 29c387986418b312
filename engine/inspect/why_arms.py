"""Why, on one screen: takes an experiment, an arm or a run, gives what ran, what was reused and from where, by arm.

A job was reused where it had ended before this experiment asked for it first. What each job is made of, line by line,
is `explain_job` (why.py).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

from engine.errors import HomeError, XpError
from engine.home.paths import Home
from engine.home.records import read_record
from engine.inspect.own_code import code_lines
from engine.inspect.why import SettingDifference
from engine.inspect.why_begun import explain_beginnings
from engine.inspect.why_tried import searched_lines, trial_lines, tried
from engine.schedule.lookup import Match
from engine.spec.dotted import flatten_settings
from engine.spec.identity import canonical_json
from store.amounts import counted
from store.queue import JobRow, Queue

FEW, SEVERAL = 2, 6  # settings that are told of an arm: where there are many arms, and where there are not
MANY_ARMS = 5
BEFORE = "what was here before"
Run = Mapping[str, Any]


@dataclass(frozen=True)
class JobOrigin:
    """A job in this experiment: whether it ran for it, and else whose it was; its state where it is not done."""

    job: str
    state: str
    origin: str | None
    """Who asked for it first here, or the home that lends it; None where it ran for this one or is not done."""


@dataclass(frozen=True)
class ArmWhy:
    """An arm: its runs, where its jobs come from, and what differs from the baseline (none: it is the baseline)."""

    arm: str
    is_baseline: bool
    runs: int
    jobs: tuple[JobOrigin, ...]
    differences: tuple[SettingDifference, ...]


def explain_match(home: Home, match: Match) -> Iterator[str]:
    """Yield lines on an experiment, an arm or a run; of the latter two each job as well."""
    record = newest_record(home, match)
    wanted = {"run": {match.name}, "arm": set(match.runs)}.get(match.kind)
    arms = explain_arms(home, record, wanted)
    runs = sum(arm.runs for arm in arms)
    jobs = {job.job: job for arm in arms for job in arm.jobs}
    head = (
        f"{record['name']}, submission {record.get('number', '?')}: {counted(runs, 'run')}, {counted(len(jobs), 'job')}"
    )
    yield f"{head}: {_origin_text(list(jobs.values()))}"
    wanted_runs = [run for run in record["runs"] if wanted is None or run["run"] in wanted]
    settings = (flatten_settings(run.get("settings") or {}) for run in wanted_runs)
    yield from code_lines(home, (item for one in settings for item in one.items()))
    trials = {name for name, told in tried(record).items() if told["stage"] != "final"} if wanted is None else set()
    shown = [arm for arm in arms if arm.arm not in trials]
    most = FEW if len(shown) > MANY_ARMS else SEVERAL
    for arm in shown:
        yield from _arm_lines(arm, record, most)
        yield from trial_lines(home, record, arm.arm, with_drawn=wanted is not None)
    yield from searched_lines(record, sorted(trials))
    if wanted is not None:
        yield from _job_lines(record, wanted, jobs, explain_beginnings(home, [*jobs]))
    yield f"every setting of every job: xp why {match.name} --all"


def newest_record(home: Home, match: Match) -> dict[str, Any]:
    """Return the newest submission that has what is meant. Raises XpError where none has it any more."""
    for path in reversed(home.records(match.experiment or "")):
        record = read_record(path)
        if match.kind == "experiment" or {match.name, *match.runs} & {run["run"] for run in record["runs"]}:
            return {"name": match.experiment, "number": int(path.stem), **record}
    raise XpError(f"no submission has {match.name}", fix="`xp ls EXPERIMENT` lists what there is")


def explain_arms(home: Home, record: Mapping[str, Any], only: set[str] | None = None) -> list[ArmWhy]:
    """Return each arm of a submission, or those of some runs."""
    runs = [run for run in record["runs"] if only is None or run["run"] in only]
    origins = find_origins(home, str(record["name"]), {job for run in runs for job in run["jobs"].values()})
    base = next((run for run in record["runs"] if run["arm"] == record.get("baseline")), None)
    arms = (record.get("spec") or {}).get("arms") or {}
    written = {path for arm in arms.values() for path in flatten_settings(arm or {})}
    return [
        _arm_why(arm, [run for run in runs if run["arm"] == arm], base, origins, written)
        for arm in dict.fromkeys(run["arm"] for run in runs)
    ]


def _arm_why(
    arm: str, runs: Sequence[Run], base: Run | None, origins: Mapping[str, JobOrigin], written: set[str]
) -> ArmWhy:
    jobs = dict.fromkeys(job for run in runs for job in run["jobs"].values())
    is_baseline = base is not None and base["arm"] == arm
    found = [] if base is None or is_baseline else [*_differences(base["settings"], runs[0]["settings"])]
    # What somebody wrote is why it was done; what follows from it comes after.
    found.sort(key=lambda one: one.path not in written)
    return ArmWhy(arm, is_baseline, len(runs), tuple(origins[job] for job in jobs if job in origins), tuple(found))


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[SettingDifference]:
    one, other = (flatten_settings(settings) for settings in (first, second))
    for path in sorted(one.keys() | other.keys()):
        if canonical_json(one.get(path)) != canonical_json(other.get(path)):
            yield SettingDifference(path, one.get(path), other.get(path))


def find_origins(home: Home, experiment: str, jobs: set[str]) -> dict[str, JobOrigin]:
    """Return of each job whether it ran for this experiment, and else for whom."""
    asked = _first_asked(home, experiment)
    with Queue.open_readonly(home.queue_db) as queue:
        rows = {row.job: row for row in queue.job_rows(jobs)}
    ended = {job: at for job in jobs if (at := _ended(home, job, rows.get(job))) is not None}
    early = {job: at for job, at in ended.items() if at < asked.get(job, 0.0)}
    askers = _first_askers(home, experiment, early)
    return {job: _origin(home, job, rows.get(job), askers.get(job, BEFORE) if job in early else None)
            for job in sorted(jobs)}  # fmt: skip


def _ended(home: Home, job: str, row: JobRow | None) -> float | None:
    """Return when a job was done here, None for one that is not, or that another home lends."""
    folder = home.job(job)
    if folder.root.is_symlink() or not folder.result.exists():
        return None
    return row.ended_at if row is not None and row.ended_at is not None else folder.result.stat().st_mtime


def _first_askers(home: Home, experiment: str, ended: Mapping[str, float]) -> dict[str, str]:
    """Return the other experiment that asked first for each of these jobs; none where no record asks before its end."""
    with Queue.open_readonly(home.queue_db) as queue:
        owners = {owner.experiment for owner in queue.owners(ended)} - {experiment}
    found = _earliest(home, owners, ended)
    left = {job: at for job, at in ended.items() if job not in found}
    # The queue has newest submissions alone: an earlier one may have asked.
    others = {path.name for path in home.experiments()} - owners - {experiment} if left else set[str]()
    return {**found, **_earliest(home, others, left)}


def _earliest(home: Home, experiments: set[str], ended: Mapping[str, float]) -> dict[str, str]:
    found: dict[str, tuple[float, str]] = {}
    for name in sorted(experiments):
        with suppress(HomeError):  # a record that is damaged tells nothing
            for job, at in _first_asked(home, name).items():
                if at <= ended.get(job, -inf):
                    found[job] = min(found.get(job, (inf, "")), (at, name))
    return {job: name for job, (_, name) in found.items()}


def _first_asked(home: Home, experiment: str) -> dict[str, float]:
    """Return when each job was first asked for by a submission of an experiment, unix seconds."""
    found: dict[str, float] = {}
    for path in home.records(experiment):
        record = read_record(path)
        for run in record["runs"]:
            for job in run["jobs"].values():
                found.setdefault(job, float(record["submitted_at"]))
    return found


def _origin(home: Home, job: str, row: JobRow | None, asker: str | None) -> JobOrigin:
    folder = home.job(job)
    if not folder.result.exists():
        return JobOrigin(job, row.state if row else "unknown", None)
    if folder.root.is_symlink():
        return JobOrigin(job, "done", os.path.dirname(os.path.dirname(os.path.realpath(folder.root))))
    return JobOrigin(job, "done", asker)


def _arm_lines(arm: ArmWhy, record: Mapping[str, Any], most: int) -> Iterator[str]:
    mark = " (baseline)" if arm.is_baseline else ""
    yield f"{arm.arm}{mark}: {counted(arm.runs, 'run')}, {counted(len(arm.jobs), 'job')}: {_origin_text(arm.jobs)}"
    for one in arm.differences[:most]:
        yield f"  {one.path}: {_value_text(one.first)} -> {_value_text(one.second)}"
    more = len(arm.differences) - most
    if more > 0:
        name = record["name"]
        yield f"  and {counted(more, 'more setting')}: xp diff {name}/{record['baseline']} {name}/{arm.arm}"


def _value_text(value: Any) -> str:
    return "-" if value is None else canonical_json(value)


def _origin_text(jobs: Sequence[JobOrigin]) -> str:
    """Say how many jobs ran for the experiment, were reused from where, and are not done."""
    ran = sum(job.state == "done" and job.origin is None for job in jobs)
    reused = Counter(job.origin for job in jobs if job.origin is not None)
    left = Counter(job.state for job in jobs if job.state != "done")
    parts = [f"{ran} ran for it"] if ran else []
    parts += [f"{count} reused from {origin}" for origin, count in reused.most_common()]
    return ", ".join([*parts, *(f"{count} {state}" for state, count in left.most_common())]) or "none"


def _job_lines(
    record: Mapping[str, Any], wanted: set[str], jobs: Mapping[str, JobOrigin], begun: Mapping[str, str]
) -> Iterator[str]:
    """Yield a line for each job of some runs: its role, arm, seed and id, where it comes from, and where it began."""
    told: set[str] = set()
    for run in (run for run in record["runs"] if run["run"] in wanted):
        for role, job in run["jobs"].items():
            if job in jobs and job not in told:
                told.add(job)
                yield f"  {role} of {run['arm']} seed {run['seed']}: {job}: {_job_text(jobs[job])}"
                if job in begun:
                    yield f"    {begun[job]}"


def _job_text(job: JobOrigin) -> str:
    if job.state != "done":
        return job.state
    return "ran for it" if job.origin is None else f"reused from {job.origin}"
