"""Experiments and jobs out: takes names, gives a queue without them, inside the caller's transaction.

What runs, or what an experiment still wants, stays whatever is asked: the scheduler may be about to start it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection

from store.queue.sql import text
from store.queue.submit import UNWANTED, settle_jobs

LISTED = "(SELECT value FROM json_each(:names))"
# Of an experiment, the jobs before what says that they are its own.
OF_EXPERIMENT = ("ready", "wanted", "run_jobs", "runs", "experiments")
OF_JOB = ("job_needs", "attempts", "ready", "jobs")


def remove_experiment(connection: Connection, name: str) -> list[str]:
    """Take an experiment out and cancel what it alone wanted and has not begun; return the jobs it wanted."""
    key = {"name": name}
    jobs = list(connection.execute(text("SELECT job FROM wanted WHERE experiment = :name"), key).scalars())
    for table in OF_EXPERIMENT:
        connection.execute(text(f"DELETE FROM {table} WHERE experiment = :name"), key)
    connection.execute(
        text(
            "UPDATE jobs SET state = 'cancelled', reason = :reason WHERE +state IN ('blocked', 'queued', 'paused')"
            f" AND job IN {LISTED} AND job NOT IN (SELECT job FROM wanted)"
        ),
        {"reason": UNWANTED, "names": json.dumps(jobs)},
    )
    settle_jobs(connection, jobs, and_dependants=False)
    return jobs


def remove_jobs(connection: Connection, names: Iterable[str]) -> list[str]:
    """Take out those of these jobs that nobody wants and that do not run; return the ones that stay."""
    words = {"names": json.dumps(list(names))}
    is_needed = "(+state = 'running' OR job IN (SELECT job FROM wanted))"
    stay = f"SELECT job FROM jobs WHERE job IN {LISTED} AND {is_needed} ORDER BY job"
    kept = list(connection.execute(text(stay), words).scalars())
    left = {"names": json.dumps(sorted(set(json.loads(words["names"])) - set(kept)))}
    for table in OF_JOB:
        connection.execute(text(f"DELETE FROM {table} WHERE job IN {LISTED}"), left)
    return kept
