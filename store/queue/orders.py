"""A person's side of the queue: cancel, pause, resume, retry, priority, inside the caller's transaction.

What runs is asked through `jobs.request` and stopped by the scheduler; what does not run changes at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, text

from store.queue.submit import FRESH, remake_wanted, settle_jobs

# Names as one JSON text, because SQLite limits how many parameters a statement takes.
AMONG = "job IN (SELECT value FROM json_each(:names))"


def stop_jobs(connection: Connection, names: Iterable[str], request: str, reason: str) -> list[str]:
    """Cancel or pause (`request`) these jobs; return those it was news to. Done and failed ones stay as they are."""
    state = {"cancel": "cancelled", "pause": "paused"}[request]
    words = {"names": json.dumps(list(names)), "request": request, "state": state, "reason": reason}
    waiting = "('blocked', 'queued', 'paused')" if request == "cancel" else "('blocked', 'queued')"
    told = connection.execute(
        text(
            f"SELECT job FROM jobs WHERE {AMONG}"
            f" AND (state IN {waiting} OR (state = 'running' AND request != :request)) ORDER BY job"
        ),
        words,
    ).scalars()
    found = list(told)
    connection.execute(text(f"UPDATE jobs SET request = :request WHERE state = 'running' AND {AMONG}"), words)
    connection.execute(
        text(f"UPDATE jobs SET state = :state, reason = :reason WHERE state IN {waiting} AND {AMONG}"), words
    )
    settle_jobs(connection, found)
    return found


def drop_runs(connection: Connection, experiment: str, runs: Iterable[str] | None) -> None:
    """Mark runs of an experiment (None: all) as cancelled, so that they want no job any more."""
    _mark_runs(connection, experiment, runs, cancelled=True)
    remake_wanted(connection, experiment)


def _mark_runs(connection: Connection, experiment: str, runs: Iterable[str] | None, *, cancelled: bool) -> None:
    words = {"name": experiment, "cancelled": cancelled, "names": json.dumps(None if runs is None else list(runs))}
    only = "" if runs is None else " AND run IN (SELECT value FROM json_each(:names))"
    connection.execute(text(f"UPDATE runs SET cancelled = :cancelled WHERE experiment = :name{only}"), words)


def unshared_jobs(connection: Connection, names: Iterable[str], experiment: str) -> list[str]:
    """Return those of the jobs that no other experiment, and no live run of this one, wants."""
    found = connection.execute(
        text(
            f"SELECT job FROM jobs WHERE {AMONG} AND job NOT IN"
            " (SELECT job FROM wanted WHERE experiment != :name) ORDER BY job"
        ),
        {"names": json.dumps(list(names)), "name": experiment},
    )
    return list(found.scalars())


def list_jobs(connection: Connection, experiment: str, runs: Iterable[str] | None = None) -> list[str]:
    """Return the jobs of an experiment, or of some of its runs, run by run in the order they are needed."""
    only = "" if runs is None else " AND l.run IN (SELECT value FROM json_each(:names))"
    words = {"name": experiment, "names": json.dumps(None if runs is None else list(runs))}
    found = connection.execute(
        text(
            "SELECT l.job FROM run_jobs l JOIN runs r ON r.experiment = l.experiment AND r.run = l.run"
            # rowid: the order in which the record names a run's jobs.
            f" WHERE l.experiment = :name{only} ORDER BY r.position, l.rowid"
        ),
        words,
    )
    return list(dict.fromkeys(found.scalars()))


def wanted_jobs(connection: Connection, experiment: str) -> set[str]:
    found = connection.execute(text("SELECT job FROM wanted WHERE experiment = :name"), {"name": experiment})
    return set(found.scalars())


def resume_jobs(connection: Connection, names: Iterable[str]) -> list[str]:
    """Put paused jobs back, and take back a pause that has not happened yet."""
    words = {"names": json.dumps(list(names))}
    found = list(
        connection.execute(
            text(f"SELECT job FROM jobs WHERE {AMONG} AND (state = 'paused' OR request = 'pause')"), words
        ).scalars()
    )
    connection.execute(text(f"UPDATE jobs SET request = '' WHERE request = 'pause' AND {AMONG}"), words)
    paused = f"state = 'paused' AND {AMONG}"
    connection.execute(text(f"UPDATE jobs SET state = 'blocked', reason = '' WHERE {paused}"), words)
    settle_jobs(connection, found)
    return found


def retry_jobs(connection: Connection, names: Iterable[str]) -> list[str]:
    """Give failed and cancelled jobs, and such as they need, a fresh budget; their cancelled runs come back alive."""
    # A job cannot run as long as what it needs is failed.
    closed = json.dumps(_with_needs(connection, list(names)))
    words = {**FRESH, "names": closed}
    ended = f"state IN ('failed', 'cancelled') AND {AMONG}"
    found = list(connection.execute(text(f"SELECT job FROM jobs WHERE {ended}"), words).scalars())
    fresh = ", ".join(f"{name} = :{name}" for name in FRESH)
    connection.execute(text(f"UPDATE jobs SET state = 'blocked', {fresh} WHERE {ended}"), words)
    # A cancel that has not happened yet is taken back.
    connection.execute(
        text(f"UPDATE jobs SET request = '' WHERE state = 'running' AND request = 'cancel' AND {AMONG}"), words
    )
    # Only runs of what was named: what that needs, others share.
    _revive_runs(connection, list(names))
    settle_jobs(connection, found)
    return found


def _with_needs(connection: Connection, names: list[str]) -> list[str]:
    found = connection.execute(
        text(
            "WITH RECURSIVE closed(job) AS (SELECT value FROM json_each(:names)"
            " UNION SELECT n.needs FROM job_needs n JOIN closed c ON n.job = c.job) SELECT job FROM closed"
        ),
        {"names": json.dumps(names)},
    )
    return sorted(found.scalars())


def _revive_runs(connection: Connection, names: list[str]) -> None:
    words = {"names": json.dumps(names)}
    same_run = "l.experiment = runs.experiment AND l.run = runs.run"
    chosen = f"cancelled AND EXISTS (SELECT 1 FROM run_jobs l WHERE {same_run} AND l.{AMONG})"
    touched = list(connection.execute(text(f"SELECT DISTINCT experiment FROM runs WHERE {chosen}"), words).scalars())
    connection.execute(text(f"UPDATE runs SET cancelled = 0 WHERE {chosen}"), words)
    for experiment in touched:
        remake_wanted(connection, experiment)


def set_priority(connection: Connection, experiment: str, priority: int) -> bool:
    changed = connection.execute(
        text("UPDATE experiments SET priority = :priority WHERE experiment = :name"),
        {"priority": priority, "name": experiment},
    )
    return changed.rowcount > 0
