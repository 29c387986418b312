"""The queue in pages: takes an open connection, gives a page of its jobs or runs; reads only, through the indexes.

Nothing here looks at every job to show fifty, except counts, which an index gives.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from store.queue.rows import RunRow
from store.queue.sql import text
from store.queue.status import run_rows

# What the page of the queue knows of an experiment without looking at its jobs one by one.
EXPERIMENTS = (
    "SELECT e.experiment, e.priority, e.submitted_at,"
    " (SELECT count(*) FROM ready r WHERE r.experiment = e.experiment),"
    # CROSS JOIN keeps SQLite to this order: the few leases first, then an index.
    " (SELECT count(*) FROM leases l CROSS JOIN wanted w ON w.job = l.job WHERE w.experiment = e.experiment)"
    " FROM experiments e ORDER BY e.submitted_at, e.experiment"
)
MINE = " AND EXISTS (SELECT 1 FROM run_jobs l WHERE l.job = j.job AND +l.experiment = :experiment)"


@dataclass(frozen=True)
class ReadyCount:
    """An experiment: its priority, and how many of its jobs are ready and run."""

    experiment: str
    priority: int
    submitted_at: float  # unix seconds
    ready: int
    running: int


@dataclass(frozen=True)
class Need:
    """What a job needs and what state that is in."""

    job: str
    needs: str
    state: str


def count_ready(connection: Connection) -> list[ReadyCount]:
    return [ReadyCount(*row) for row in connection.execute(text(EXPERIMENTS))]


def count_states(connection: Connection, experiment: str | None) -> dict[str, int]:
    """Return how many jobs are in which state, of one experiment or of all."""
    query = "SELECT state, count(*) FROM jobs GROUP BY state"
    if experiment is not None:
        query = (
            "SELECT j.state, count(*) FROM (SELECT DISTINCT job FROM run_jobs WHERE experiment = :name) once"
            " CROSS JOIN jobs j ON j.job = once.job GROUP BY j.state"
        )
    return {row[0]: row[1] for row in connection.execute(text(query), {"name": experiment})}


def page_ready(connection: Connection, experiment: str, start: int, most: int) -> list[str]:
    """Return jobs of an experiment that are ready, those that are next first."""
    query = "SELECT job FROM ready WHERE experiment = :experiment ORDER BY rank, job LIMIT :most OFFSET :start"
    return list(connection.execute(text(query), {"experiment": experiment, "start": start, "most": most}).scalars())


def page_state(connection: Connection, state: str, experiment: str | None, start: int, most: int) -> list[str]:
    """Return jobs in a state, of one experiment or of any, in the order in which they were submitted."""
    query = (
        f"SELECT j.job FROM jobs j WHERE j.state = :state{MINE if experiment else ''}"
        " ORDER BY j.rowid LIMIT :most OFFSET :start"
    )
    words = {"state": state, "experiment": experiment, "start": start, "most": most}
    return list(connection.execute(text(query), words).scalars())


def page_runs(connection: Connection, experiment: str, start: int, most: int) -> list[RunRow]:
    """Return runs of an experiment in their order, each with its state and its jobs by role."""
    query = "SELECT run FROM runs WHERE experiment = :experiment ORDER BY position LIMIT :most OFFSET :start"
    words = {"experiment": experiment, "start": start, "most": most}
    return run_rows(connection, experiment, connection.execute(text(query), words).scalars())


def count_runs_of(connection: Connection, experiment: str) -> int:
    query = "SELECT count(*) FROM runs WHERE experiment = :experiment"
    return int(connection.execute(text(query), {"experiment": experiment}).scalar_one())


def open_needs(connection: Connection, jobs: Sequence[str]) -> list[Need]:
    """Return what each of these jobs needs and has not got yet."""
    query = (
        "SELECT n.job, n.needs, coalesce(d.state, 'absent') AS state FROM job_needs n LEFT JOIN jobs d"
        " ON d.job = n.needs WHERE n.job IN (SELECT value FROM json_each(:jobs))"
        " AND coalesce(d.state, 'absent') != 'done' ORDER BY n.job, n.needs"
    )
    return [Need(*row) for row in connection.execute(text(query), {"jobs": json.dumps(list(jobs))})]


def first_runs(connection: Connection, jobs: Sequence[str]) -> dict[str, str]:
    """Return for each of these jobs a run that has it."""
    query = "SELECT job, min(run) FROM run_jobs WHERE job IN (SELECT value FROM json_each(:jobs)) GROUP BY job"
    return {row[0]: row[1] for row in connection.execute(text(query), {"jobs": json.dumps(list(jobs))})}
