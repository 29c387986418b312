"""What `status` shows: takes an open connection, gives frozen rows; reads only."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from store.queue.rows import RUN_ORDER, AttemptRow, ExperimentRow, JobRow, Owners, RunRow
from store.queue.sql import text

# The place of a job's state in RUN_ORDER, for SQL: the least one of a run's jobs is the run's state.
STATE_RANK = "CASE j.state " + " ".join(f"WHEN '{state}' THEN {at}" for at, state in enumerate(RUN_ORDER)) + " END"
RANK_COUNTS = ", ".join(f"count(*) FILTER (WHERE rank = {at})" for at in range(len(RUN_ORDER)))
# Each job of experiment e, once. `wanted` has them in order, but not those of cancelled runs; to sort takes long.
HAS_CANCELLED = "e.experiment IN (SELECT experiment FROM runs WHERE cancelled)"
JOBS_ONCE = (
    f"SELECT w.job FROM wanted w WHERE w.experiment = e.experiment AND NOT {HAS_CANCELLED} UNION ALL"
    f" SELECT DISTINCT l.job FROM run_jobs l WHERE l.experiment = e.experiment AND {HAS_CANCELLED}"
)
JOB_COLUMNS = (
    "j.job, j.kind, j.state, j.reason, j.attempts, j.started_at, j.ended_at, j.cost AS seconds, j.request, j.details"
)


@dataclass(frozen=True)
class Tally:
    """The jobs of an experiment that are of one kind and in one state: how many, and their seconds (`count_jobs`)."""

    state: str
    kind: str
    jobs: int
    seconds: float
    taken: float
    estimated: float


def job_states(connection: Connection) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(text("SELECT job, state FROM jobs"))}


def job_rows(connection: Connection, names: Iterable[str] | None, experiment: str | None) -> list[JobRow]:
    """Return the rows of the named jobs, or of an experiment's, or all; in the order of their ids."""
    where, words = "", {"names": json.dumps(list(names or ())), "name": experiment}
    if names is not None:
        where = " WHERE j.job IN (SELECT value FROM json_each(:names))"
    elif experiment is not None:
        where = " WHERE j.job IN (SELECT job FROM run_jobs WHERE experiment = :name)"
    return _read_jobs(connection.execute(text(f"SELECT {JOB_COLUMNS} FROM jobs j{where} ORDER BY j.job"), words))


def _read_jobs(found: Iterable[Row[Any]]) -> list[JobRow]:
    read = _Reader()
    return [
        JobRow(job, kind, state, reason, number, started, ended, seconds, request, read(details))
        for job, kind, state, reason, number, started, ended, seconds, request, details in map(tuple, found)
    ]


class _Reader(dict[str, dict[str, Any]]):
    """Reads JSON; thousands of jobs have the same few details, so each text is parsed once."""

    def __call__(self, text: str) -> dict[str, Any]:
        if text not in self:
            self[text] = json.loads(text)
        return self[text]


def run_rows(connection: Connection, experiment: str | None, runs: Iterable[str] | None = None) -> list[RunRow]:
    """Return runs (all, an experiment's, or some of it) with their state, as they were submitted and stand in it."""
    only = "" if experiment is None else " WHERE r.experiment = :name"
    only += "" if runs is None else " AND r.run IN (SELECT value FROM json_each(:runs))"
    found = connection.execute(
        text(
            f"SELECT r.experiment, r.run, r.arm, r.cell, r.seed, min({STATE_RANK}) AS state,"
            " json_group_object(l.role, l.job) FILTER (WHERE l.job IS NOT NULL) AS jobs FROM runs r"
            " JOIN experiments e ON e.experiment = r.experiment"
            " LEFT JOIN run_jobs l ON l.experiment = r.experiment AND l.run = r.run"
            f" LEFT JOIN jobs j ON j.job = l.job{only}"
            " GROUP BY r.experiment, r.run, e.submitted_at ORDER BY e.submitted_at, r.experiment, r.position"
        ),
        {"name": experiment, "runs": json.dumps(list(runs or ()))},
    )
    return [
        RunRow(name, run, arm, cell, seed, _name_state(rank), json.loads(roles))
        for name, run, arm, cell, seed, rank, roles in found
    ]


def changed_states(connection: Connection, since: float, runs: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return the states of what may have another one than at `since` (unix seconds), by experiment and run.

    That is every run with a job that runs, ended since or was stopped, and the named ones; quick where those are few.
    """
    found = connection.execute(
        text(
            "WITH touched AS (SELECT l.experiment, l.run FROM jobs c CROSS JOIN run_jobs l ON l.job = c.job"
            " WHERE c.state IN ('running', 'paused', 'cancelled', 'failed') OR c.ended_at > :since"
            " UNION SELECT experiment, run FROM runs WHERE run IN (SELECT value FROM json_each(:runs)))"
            f" SELECT t.experiment, t.run, min({STATE_RANK}) FROM touched t CROSS JOIN run_jobs l"
            " ON l.experiment = t.experiment AND l.run = t.run CROSS JOIN jobs j ON j.job = l.job"
            " GROUP BY t.experiment, t.run"
        ),
        {"since": since, "runs": json.dumps(list(runs))},
    )
    return {(experiment, run): _name_state(rank) for experiment, run, rank in found}


def run_counts(connection: Connection) -> dict[str, int]:
    """Return how many runs each experiment has."""
    found = connection.execute(text("SELECT experiment, count(*) AS n FROM runs GROUP BY experiment"))
    return {row.experiment: row.n for row in found}


def _name_state(rank: int | None) -> str:
    # A run without jobs has no rank.
    return "done" if rank is None else RUN_ORDER[rank]


def experiment_rows(
    connection: Connection, experiment: str | None, runs: dict[str, dict[str, int]], jobs: dict[str, list[Tally]]
) -> list[ExperimentRow]:
    """Return all experiments (or one) with what `count_runs` and `count_jobs` found, oldest submission first."""
    words = {"name": experiment}
    found = connection.execute(
        text(
            "SELECT experiment, title, submitted_at, priority FROM experiments"
            f"{_only(words)} ORDER BY submitted_at, experiment"
        ),
        words,
    )
    return [
        ExperimentRow(name, title, at, priority, runs.get(name, {}), *_sum_jobs(jobs.get(name, [])))
        for name, title, at, priority in found
    ]


def experiment_names(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT experiment FROM experiments ORDER BY experiment")).scalars())


def _only(words: dict[str, str | None]) -> str:
    return "" if words["name"] is None else " WHERE experiment = :name"


def count_runs(connection: Connection, experiment: str | None = None) -> dict[str, dict[str, int]]:
    """Return of each experiment how many runs are in which state.

    An experiment at a time, in the order of an index, and counted without sorting: three times as fast as grouping
    the runs of all of them by state.
    """
    words = {"name": experiment}
    found = connection.execute(
        text(
            f"SELECT e.experiment, (SELECT json_array({RANK_COUNTS}) FROM (SELECT min({STATE_RANK}) AS rank"
            " FROM run_jobs l CROSS JOIN jobs j ON j.job = l.job"
            " WHERE l.experiment = e.experiment GROUP BY l.run) AS runs)"
            f" FROM experiments e{_only(words)}"
        ),
        words,
    )
    return {name: _name_counts(json.loads(counts)) for name, counts in found}


def _name_counts(counts: list[int]) -> dict[str, int]:
    return {state: count for state, count in zip(RUN_ORDER, counts, strict=True) if count}


def count_jobs(connection: Connection, experiment: str | None = None) -> dict[str, list[Tally]]:
    """Return of each experiment, by state and kind: jobs, estimated seconds; of those that ran, taken and estimated."""
    words, ran = {"name": experiment}, "started_at IS NOT NULL AND ended_at >= started_at"
    found = connection.execute(
        # A row of JSON for each experiment: grouped inside of SQLite, so that Python reads little.
        text(
            "SELECT e.experiment, (SELECT json_group_array(json_array(state, kind, jobs, seconds, taken,"
            " estimated)) FROM (SELECT j.state, j.kind, count(*) AS jobs, sum(j.cost) AS seconds,"
            f" sum(CASE WHEN {ran} THEN ended_at - started_at ELSE 0.0 END) AS taken,"
            f" sum(CASE WHEN {ran} THEN cost ELSE 0.0 END) AS estimated"
            f" FROM ({JOBS_ONCE}) once CROSS JOIN jobs j ON j.job = once.job GROUP BY j.state,"
            " j.kind) AS kinds)"
            f" FROM experiments e{_only(words)}"
        ),
        words,
    )
    return {name: [Tally(*tally) for tally in json.loads(tallies)] for name, tallies in found}


def _sum_jobs(
    tallies: list[Tally],
) -> tuple[dict[str, int], dict[str, float], dict[str, float], dict[str, tuple[float, float]]]:
    jobs, seconds, waiting = Counter[str](), defaultdict[str, float](float), defaultdict[str, float](float)
    for each in tallies:
        jobs[each.state] += each.jobs
        seconds[each.state] += each.seconds
        if each.state in ("queued", "blocked"):
            waiting[each.kind] += each.seconds
    measured = {each.kind: (each.taken, each.estimated) for each in tallies if each.state == "done"}
    return dict(jobs), dict(seconds), dict(waiting), measured


# What a person wants to see one by one: what runs, what went wrong, what waits for a reason or was begun.
NOTABLE = {
    "running": "j.state = 'running'",
    "failed": "j.state = 'failed'",
    "cancelled": "j.state = 'cancelled'",
    # +: by the small index on back-offs, not by the one on state.
    "waiting": "j.not_before > 0 AND +j.state = 'queued' AND j.reason != ''",
    # What was begun and waits: how far it came is not lost.
    "paused": "j.state = 'paused' AND j.attempts > 0",
    "again": "j.state = 'queued' AND j.attempts > 0 AND NOT (j.not_before > 0 AND j.reason != '')",
}


def notable_jobs(connection: Connection, experiment: str | None, most: int) -> list[JobRow]:
    """Return up to `most` jobs for each entry of NOTABLE, of one experiment or of all; quick at any size."""
    words = {"name": experiment, "most": most}
    mine = "" if experiment is None else " AND +l.experiment = :name"  # +: look in the index by job, not in this one
    asked_for = f"EXISTS (SELECT 1 FROM run_jobs l WHERE l.job = j.job{mine})"
    rows: list[Row[Any]] = []
    for where in NOTABLE.values():
        query = (
            f"SELECT {JOB_COLUMNS} FROM jobs j WHERE {where} AND {asked_for} ORDER BY j.started_at, j.job LIMIT :most"
        )
        rows += connection.execute(text(query), words)
    return _read_jobs(rows)


def job_owners(connection: Connection, names: Iterable[str], experiment: str | None) -> list[Owners]:
    """Return for each of these jobs, and each experiment that has it, whose it is there."""
    mine = "" if experiment is None else " AND +l.experiment = :name"
    found = connection.execute(
        text(
            "SELECT l.experiment, l.job, min(l.role), count(DISTINCT r.arm), min(r.arm), max(r.arm),"
            " count(DISTINCT r.cell), min(r.cell), count(DISTINCT r.seed), min(r.seed) FROM run_jobs l"
            " JOIN runs r ON r.experiment = l.experiment AND r.run = l.run"
            f" WHERE l.job IN (SELECT value FROM json_each(:names)){mine} GROUP BY l.experiment, l.job"
        ),
        {"names": json.dumps(list(names)), "name": experiment},
    )
    return [Owners(*row) for row in found]


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


# What must hold between the tables; `xp doctor` asks for it.
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
    """Return every job that breaks one of RULES."""
    faults: list[str] = []
    for rule, query in RULES.items():
        faults += [f"{job}: {rule}" for job in connection.execute(text(query)).scalars()]
    return faults
