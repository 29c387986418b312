"""A person's side of the queue: cancel, pause, resume, retry, priority, inside the caller's transaction.

What runs is asked through `jobs.request` and stopped by the scheduler; what does not run changes at once. No order
makes a job done or undone, so those that need it stay as they are. Each call is a part of one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, text

from store.queue.submit import FRESH, narrow_wanted, settle_jobs

# Names as one JSON text, because SQLite limits how many parameters a statement takes.
LISTED = "(SELECT value FROM json_each(:names))"
AMONG = f"job IN {LISTED}"
# `+state` below: a batch is looked up by its names, not among all that are in that state.


def stop_jobs(connection: Connection, names: Iterable[str], request: str, reason: str) -> list[str]:
    """Cancel or pause (`request`) these jobs; return those it was news to. Done and failed ones stay as they are."""
    state = {"cancel": "cancelled", "pause": "paused"}[request]
    words = {"names": json.dumps(list(names)), "request": request, "state": state, "reason": reason}
    waiting = "('blocked', 'queued', 'paused')" if request == "cancel" else "('blocked', 'queued')"
    told = connection.execute(
        text(
            f"SELECT job FROM jobs WHERE {AMONG}"
            f" AND (+state IN {waiting} OR (state = 'running' AND request != :request)) ORDER BY job"
        ),
        words,
    ).scalars()
    found = list(told.all())
    connection.execute(text(f"UPDATE jobs SET request = :request WHERE state = 'running' AND {AMONG}"), words)
    connection.execute(
        text(f"UPDATE jobs SET state = :state, reason = :reason WHERE +state IN {waiting} AND {AMONG}"), words
    )
    # None of them can be queued now, and nothing that needs them could before.
    connection.execute(text(f"DELETE FROM ready WHERE {AMONG}"), {"names": json.dumps(found)})
    return found


def cancel_runs(connection: Connection, experiment: str, runs: Iterable[str]) -> list[str]:
    """Cancel runs of an experiment, and the jobs that no live run of any experiment wants then; return those jobs."""
    names = list(runs)
    words = {"name": experiment, "names": json.dumps(names)}
    connection.execute(text(f"UPDATE runs SET cancelled = 1 WHERE experiment = :name AND run IN {LISTED}"), words)
    jobs = list_jobs(connection, experiment, names)
    narrow_wanted(connection, experiment, jobs)
    # The runs first: what they alone wanted is now wanted by nobody.
    stopped = stop_jobs(connection, _unwanted_jobs(connection, jobs), "cancel", "cancelled")
    # Those that go on for another experiment are no longer ready for this one.
    settle_jobs(connection, set(jobs) - set(stopped), and_dependants=False)
    return stopped


def _unwanted_jobs(connection: Connection, names: list[str]) -> list[str]:
    alone = "NOT EXISTS (SELECT 1 FROM wanted w WHERE w.job = jobs.job)"
    found = connection.execute(text(f"SELECT job FROM jobs WHERE {AMONG} AND {alone}"), {"names": json.dumps(names)})
    return list(found.scalars().all())


def unshared_jobs(connection: Connection, names: Iterable[str], experiment: str) -> list[str]:
    """Return those of the jobs that no other experiment wants."""
    shared = "EXISTS (SELECT 1 FROM wanted w WHERE w.job = jobs.job AND w.experiment != :name)"
    found = connection.execute(
        text(f"SELECT job FROM jobs WHERE {AMONG} AND NOT {shared} ORDER BY job"),
        {"names": json.dumps(list(names)), "name": experiment},
    )
    return list(found.scalars().all())


def list_runs(connection: Connection, experiment: str) -> list[str]:
    """Return the runs of an experiment in their order."""
    query = "SELECT run FROM runs WHERE experiment = :name ORDER BY position"
    return list(connection.execute(text(query), {"name": experiment}).scalars())


def list_jobs(connection: Connection, experiment: str, runs: Iterable[str] | None = None) -> list[str]:
    """Return the jobs of an experiment, or of some of its runs, run by run in the order they are needed."""
    only = "" if runs is None else f" AND l.run IN {LISTED}"
    words = {"name": experiment, "names": json.dumps(None if runs is None else list(runs))}
    found = connection.execute(
        text(
            "SELECT l.job FROM run_jobs l JOIN runs r ON r.experiment = l.experiment AND r.run = l.run"
            # rowid: the order in which the record names a run's jobs.
            f" WHERE l.experiment = :name{only} ORDER BY r.position, l.rowid"
        ),
        words,
    )
    return list(dict.fromkeys(found.scalars().all()))


def resume_jobs(connection: Connection, names: Iterable[str]) -> list[str]:
    """Put paused jobs back, and take back a pause that has not happened yet."""
    words = {"names": json.dumps(list(names))}
    found = list(
        connection.execute(
            text(f"SELECT job FROM jobs WHERE {AMONG} AND (state = 'paused' OR request = 'pause')"), words
        )
        .scalars()
        .all()
    )
    connection.execute(text(f"UPDATE jobs SET request = '' WHERE request = 'pause' AND {AMONG}"), words)
    paused = f"+state = 'paused' AND {AMONG}"
    connection.execute(text(f"UPDATE jobs SET state = 'blocked', reason = '' WHERE {paused}"), words)
    settle_jobs(connection, found, and_dependants=False)
    return found


def retry_jobs(connection: Connection, names: Iterable[str]) -> list[str]:
    """Give failed and cancelled jobs a fresh budget; return those it was news to."""
    words = {**FRESH, "names": json.dumps(list(names))}
    ended = f"+state IN ('failed', 'cancelled') AND {AMONG}"
    found = list(connection.execute(text(f"SELECT job FROM jobs WHERE {ended}"), words).scalars().all())
    fresh = ", ".join(f"{name} = :{name}" for name in FRESH)
    connection.execute(text(f"UPDATE jobs SET state = 'blocked', {fresh} WHERE {ended}"), words)
    # A cancel that has not happened yet is taken back.
    connection.execute(
        text(f"UPDATE jobs SET request = '' WHERE state = 'running' AND request = 'cancel' AND {AMONG}"), words
    )
    settle_jobs(connection, found, and_dependants=False)
    return found


def with_needs(connection: Connection, names: Iterable[str]) -> list[str]:
    """Return the jobs and all that they need: none can run as long as what it needs is failed."""
    found = connection.execute(
        text(
            "WITH RECURSIVE closed(job) AS (SELECT value FROM json_each(:names)"
            " UNION SELECT n.needs FROM job_needs n JOIN closed c ON n.job = c.job)"
            # In the order of the table: a batch then changes pages that lie side by side.
            " SELECT job FROM jobs WHERE job IN (SELECT job FROM closed) ORDER BY rowid"
        ),
        {"names": json.dumps(list(names))},
    )
    return list(found.scalars().all())


def cancelled_runs(connection: Connection, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the cancelled runs that have any of these jobs, by experiment."""
    # From the jobs to their runs: asked of each run in turn, it would look through all the jobs every time.
    found = connection.execute(
        text(
            "SELECT DISTINCT l.experiment, l.run FROM json_each(:names) named"
            " CROSS JOIN run_jobs l ON l.job = named.value"
            " JOIN runs r ON r.experiment = l.experiment AND r.run = l.run WHERE r.cancelled"
        ),
        {"names": json.dumps(list(names))},
    )
    runs: dict[str, list[str]] = {}
    for experiment, run in found:
        runs.setdefault(experiment, []).append(run)
    return runs


def revive_runs(connection: Connection, experiment: str, runs: Iterable[str]) -> None:
    """Bring cancelled runs back alive, so that they want their jobs again."""
    words = {"name": experiment, "names": json.dumps(list(runs))}
    these = f"WHERE experiment = :name AND run IN {LISTED}"
    connection.execute(text(f"UPDATE runs SET cancelled = 0 {these}"), words)
    wants = f"INSERT OR IGNORE INTO wanted (experiment, job) SELECT experiment, job FROM run_jobs {these}"
    connection.execute(text(wants), words)


def set_priority(connection: Connection, experiment: str, priority: int) -> bool:
    changed = connection.execute(
        text("UPDATE experiments SET priority = :priority WHERE experiment = :name"),
        {"priority": priority, "name": experiment},
    )
    return changed.rowcount > 0
