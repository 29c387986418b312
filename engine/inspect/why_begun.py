"""Where trainings began: takes jobs, gives a line for each that goes on from a shorter one, or was planned to.

Which shorter ones there are stands in a job's details; which of them it began with, and after how many epochs, it
logged itself (run/continuing.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.analysis.snapshot import one_snapshot
from engine.errors import QueryError, XpError
from engine.home.control_files import read_details
from engine.home.paths import Home
from engine.inspect.progress_text import clock_text
from engine.schedule.lookup import name_jobs
from store.amounts import counted


def explain_beginnings(home: Home, jobs: Sequence[str]) -> dict[str, str]:
    """Return by job where it began, of those that may go on from a shorter training."""
    shorter = {job: found for job in jobs if (found := _shorter(home, job))}
    if not shorter:
        return {}
    told = _read_began(home, [*shorter])
    names = name_jobs(home, sorted({*_named(shorter, told)}))
    return {job: _line(home, job, others, told.get(job), names) for job, others in shorter.items()}


def _shorter(home: Home, job: str) -> list[str]:
    """Return the trainings that a job may go on from, the longest first."""
    try:
        return [str(other) for other in read_details(home.job(job)).get("begins") or ()]
    except XpError:
        return []


def _read_began(home: Home, jobs: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    try:
        with one_snapshot(home) as snapshot:
            rows = snapshot.ask("why_begins", jobs=list(jobs))
    except QueryError:
        return {}
    return {row["job"]: {**row, "began": json.loads(row["began"] or "null")} for row in rows}


def _named(shorter: Mapping[str, Sequence[str]], told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for others in shorter.values():
        yield from others
    yield from (row["began"]["job"] for row in told.values() if row["began"])


def _line(
    home: Home, job: str, others: Sequence[str], told: Mapping[str, Any] | None, names: Mapping[str, str]
) -> str:  # fmt: skip
    began = told["began"] if told is not None else None
    listed = ", ".join(_job_name(other, names) for other in others)
    if began is not None:
        spent = f"{clock_text(began['seconds'])} of training that it did not do again"
        epochs = counted(began["epoch"], "epoch")
        return f"goes on from {_job_name(began['job'], names)} after {epochs}, {spent}"
    if told is not None and told["state"] == "done":
        return f"began at its start: nothing to go on from was left by {listed}; xp logs {job} says why"
    if home.job(job).attempts():
        return f"may go on from {listed}: whether it does is not in the results yet, xp logs {job} says it"
    return f"goes on from the longest of these that is there when it starts: {listed}"


def _job_name(job: str, names: Mapping[str, str]) -> str:
    name = names.get(job, job)
    return job if name == job else f"{job} ({name})"
