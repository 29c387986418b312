"""What `status` shows: takes an open connection, gives frozen rows; reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from store.queue.rows import RUN_ORDER, AttemptRow, ExperimentRow, JobRow, RunRow

# The place of a job's state in RUN_ORDER, for SQL: the least one of a run's jobs is the run's state.
STATE_RANK = "CASE j.state " + " ".join(f"WHEN '{state}' THEN {at}" for at, state in enumerate(RUN_ORDER)) + " END"
JOB_COLUMNS = (
    "j.job, j.kind, j.state, j.reason, j.attempts, j.started_at, j.ended_at, j.cost AS seconds, j.request, j.details"
)


def job_states(connection: Connection) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(text("SELECT job, state FROM jobs"))}


def job_rows(connection: Connection, names: Iterable[str] | None, experiment: str | None) -> list[JobRow]:
    """Return the rows of the named jobs, or of an experiment's, or all; in the order of their ids."""
    where, words = "", {"names": json.dumps(list(names or ())), "name": experiment}
    if names is not None:
        where = " WHERE j.job IN (SELECT value FROM json_each(:names))"
    elif experiment is not None:
        where = " WHERE j.job IN (SELECT job FROM run_jobs WHERE experiment = :name)"
    found = connection.execute(text(f"SELECT {JOB_COLUMNS} FROM jobs j{where} ORDER BY j.job"), words)
    read = _Reader()
    return [
        JobRow(job, kind, state, reason, number, started, ended, seconds, request, read(details))
        for job, kind, state, reason, number, started, ended, seconds, request, details in found
    ]


class _Reader(dict[str, dict[str, Any]]):
    """Reads JSON; thousands of jobs have the same few details, so each text is parsed once."""

    def __call__(self, text: str) -> dict[str, Any]:
        if text not in self:
            self[text] = json.loads(text)
        return self[text]


def run_rows(connection: Connection, experiment: str | None) -> list[RunRow]:
    """Return runs with their state, in the order of their experiment's submission and their place in it."""
    only = "" if experiment is None else " WHERE r.experiment = :name"
    found = connection.execute(
        text(
            f"SELECT r.experiment, r.run, r.arm, r.cell, r.seed, min({STATE_RANK}) AS state,"
            " json_group_object(l.role, l.job) AS jobs FROM runs r"
            " JOIN experiments e ON e.experiment = r.experiment"
            " LEFT JOIN run_jobs l ON l.experiment = r.experiment AND l.run = r.run"
            f" LEFT JOIN jobs j ON j.job = l.job{only}"
            " GROUP BY r.experiment, r.run ORDER BY e.submitted_at, r.experiment, r.position"
        ),
        {"name": experiment},
    )
    return [
        RunRow(name, run, arm, cell, seed, _name_state(rank), _read_roles(roles))
        for name, run, arm, cell, seed, rank, roles in found
    ]


def _name_state(rank: int | None) -> str:
    return "done" if rank is None else RUN_ORDER[rank]


def _read_roles(text: str) -> dict[str, str]:
    return {role: job for role, job in json.loads(text).items() if job}


def experiment_rows(connection: Connection) -> list[ExperimentRow]:
    """Return all experiments with how many runs and jobs are in each state, oldest submission first."""
    runs = _count_runs(connection)
    jobs = _count_jobs(connection)
    found = connection.execute(
        text("SELECT experiment, title, submitted_at, priority FROM experiments ORDER BY submitted_at, experiment")
    )
    return [ExperimentRow(r[0], r[1], r[2], r[3], runs.get(r[0], {}), jobs.get(r[0], {})) for r in found]


def _count_runs(connection: Connection) -> dict[str, dict[str, int]]:
    found = connection.execute(
        text(
            "SELECT experiment, state, count(*) FROM"
            f" (SELECT l.experiment, l.run, min({STATE_RANK}) AS state FROM run_jobs l JOIN jobs j ON j.job = l.job"
            " GROUP BY l.experiment, l.run) GROUP BY experiment, state"
        )
    )
    counts: dict[str, dict[str, int]] = {}
    for experiment, rank, number in found:
        counts.setdefault(experiment, {})[RUN_ORDER[rank]] = number
    return counts


def _count_jobs(connection: Connection) -> dict[str, dict[str, int]]:
    found = connection.execute(
        text(
            "SELECT experiment, state, count(*) FROM (SELECT DISTINCT l.experiment, l.job FROM run_jobs l) d"
            " JOIN jobs j ON j.job = d.job GROUP BY experiment, state"
        )
    )
    counts: dict[str, dict[str, int]] = {}
    for experiment, state, number in found:
        counts.setdefault(experiment, {})[state] = number
    return counts


def attempt_rows(connection: Connection, names: Iterable[str] | None) -> list[AttemptRow]:
    only = "" if names is None else " WHERE job IN (SELECT value FROM json_each(:names))"
    found = connection.execute(
        text(
            "SELECT job, attempt, slot, started_at, ended_at, outcome, exit, reason FROM attempts"
            f"{only} ORDER BY job, attempt"
        ),
        {"names": json.dumps(list(names or ()))},
    )
    return [AttemptRow(*row) for row in found]


RULES = {
    "running without a lease": "SELECT job FROM jobs WHERE state = 'running' AND job NOT IN (SELECT job FROM leases)",
    "leased and not running": "SELECT l.job FROM leases l JOIN jobs j ON j.job = l.job WHERE j.state != 'running'",
    "an attempt without an outcome or a lease": (
        "SELECT a.job FROM attempts a WHERE a.outcome IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM leases l WHERE l.job = a.job AND l.attempt = a.attempt)"
    ),
    "ready and not queued": "SELECT r.job FROM ready r JOIN jobs j ON j.job = r.job WHERE j.state != 'queued'",
    "queued, wanted and not ready": (
        "SELECT j.job FROM jobs j JOIN wanted w ON w.job = j.job WHERE j.state = 'queued'"
        " AND NOT EXISTS (SELECT 1 FROM ready r WHERE r.job = j.job AND r.experiment = w.experiment)"
    ),
    "queued before its needs are done": (
        "SELECT j.job FROM jobs j JOIN job_needs n ON n.job = j.job LEFT JOIN jobs d ON d.job = n.needs"
        " WHERE j.state = 'queued' AND coalesce(d.state, '') != 'done'"
    ),
    "blocked with its needs done": (
        "SELECT j.job FROM jobs j WHERE j.state = 'blocked' AND NOT EXISTS (SELECT 1 FROM job_needs n"
        " LEFT JOIN jobs d ON d.job = n.needs WHERE n.job = j.job AND coalesce(d.state, '') != 'done')"
    ),
    "two attempts done": "SELECT job FROM attempts WHERE outcome = 'done' GROUP BY job HAVING count(*) > 1",
}


def list_faults(connection: Connection) -> list[str]:
    """Return SQLite's own complaints and every job that breaks one of RULES."""
    said = [str(line) for line in connection.execute(text("PRAGMA integrity_check")).scalars()]
    faults = [line for line in said if line != "ok"]
    for rule, query in RULES.items():
        faults += [f"{job}: {rule}" for job in connection.execute(text(query)).scalars()]
    return faults
