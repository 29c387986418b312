"""A person's side of the queue: cancel, pause, resume, retry, priority, inside the caller's transaction.

What runs is asked through `jobs.request` and stopped by the scheduler; what does not run changes at once. No order
makes a job done or undone, so those that need it stay as they are. Each call is a part of one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from store.queue.sql import text
from store.queue.submit import FRESH, narrow_wanted, release_jobs, settle_jobs

# Names as one JSON text, because SQLite limits how many parameters a statement takes.
LISTED = "(SELECT value FROM json_each(:names))"
AMONG = f"job IN {LISTED}"
# `+state` below: a batch is looked up by its names, not among all that are in that state.


def stop_jobs(connection: Connection, names: Iterable[str], request: str, reason: str) -> list[str]:
    """Cancel or pause (`request`) these jobs; return those it was news to. Done and failed ones stay as they are."""
    state = {"cancel": "cancelled", "pause": "paused"}[request]
    words = {"names": json.dumps(list(names)), "request": request, "state": state, "reason": reason}
    waiting = "('blocked', 'queued', 'paused')" if request == "cancel" else "('blocked', 'queued')"
    is_news = f"(+state IN {waiting} OR (+state = 'running' AND request != :request))"
    found = _read_names(connection, f"SELECT job FROM jobs WHERE {AMONG} AND {is_news} ORDER BY job", words)
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
    connection.execute(text(f"UPDATE runs SET cancelled = TRUE WHERE experiment = :name AND run IN {LISTED}"), words)
    mine = f"SELECT DISTINCT job FROM run_jobs WHERE experiment = :name AND run IN {LISTED}"
    jobs = _read_names(connection, mine, words)
    narrow_wanted(connection, experiment, jobs)
    # The runs first: what they alone wanted is now wanted by nobody.
    stopped = stop_jobs(connection, _unwanted_jobs(connection, jobs), "cancel", "cancelled")
    # Those that go on for another experiment are no longer ready for this one.
    settle_jobs(connection, set(jobs) - set(stopped), and_dependants=False)
    return stopped


def _unwanted_jobs(connection: Connection, names: list[str]) -> list[str]:
    alone = "NOT EXISTS (SELECT 1 FROM wanted w WHERE w.job = jobs.job)"
    # In the order of the table: what is changed then lies side by side.
    query = f"SELECT job FROM jobs WHERE {AMONG} AND {alone} ORDER BY rowid"
    return _read_names(connection, query, {"names": json.dumps(names)})


def unshared_jobs(connection: Connection, names: Iterable[str], experiment: str) -> list[str]:
    """Return those of the jobs that no other experiment wants."""
    shared = "EXISTS (SELECT 1 FROM wanted w WHERE w.job = jobs.job AND w.experiment != :name)"
    words = {"names": json.dumps(list(names)), "name": experiment}
    return _read_names(connection, f"SELECT job FROM jobs WHERE {AMONG} AND NOT {shared} ORDER BY rowid", words)


def list_runs(connection: Connection, experiment: str) -> list[str]:
    """Return the runs of an experiment in their order."""
    query = "SELECT run FROM runs WHERE experiment = :name ORDER BY position"
    return _read_names(connection, query, {"name": experiment}, "run")


def list_jobs(connection: Connection, experiment: str, runs: Iterable[str] | None = None) -> list[str]:
    """Return the jobs of an experiment, or of some of its runs, run by run in the order they are needed."""
    only = "" if runs is None else f" AND l.run IN {LISTED}"
    words = {"name": experiment, "names": json.dumps(None if runs is None else list(runs))}
    query = (
        "SELECT l.job FROM run_jobs l JOIN runs r ON r.experiment = l.experiment AND r.run = l.run"
        # rowid: the order in which the record names a run's jobs.
        f" WHERE l.experiment = :name{only} ORDER BY r.position, l.rowid"
    )
    return list(dict.fromkeys(_read_names(connection, query, words)))


def resume_jobs(connection: Connection, names: Iterable[str]) -> list[str]:
    """Put paused jobs back, and take back a pause that has not happened yet."""
    words = {"names": json.dumps(list(names))}
    running = f"state = 'running' AND request = 'pause' AND {AMONG}"
    going = _read_names(connection, f"SELECT job FROM jobs WHERE {running}", words)
    connection.execute(text(f"UPDATE jobs SET request = '' WHERE {running}"), words)
    paused = f"SELECT job FROM jobs WHERE +state = 'paused' AND {AMONG} ORDER BY rowid"
    found = _read_names(connection, paused, words)
    release_jobs(connection, found, {"reason": ""})
    return found + going


def retry_jobs(connection: Connection, names: Iterable[str], asked: Iterable[str]) -> list[str]:
    """Give failed and cancelled jobs a fresh budget; return those it was news to.

    The cancelled runs of those that are `asked` for come back alive.
    """
    words = {"names": json.dumps(list(names))}
    # The runs first: a job that no run wants would not be ready.
    revived = _revive_runs(connection, asked)
    ended = f"SELECT job FROM jobs WHERE +state IN ('failed', 'cancelled') AND {AMONG} ORDER BY rowid"
    found = _read_names(connection, ended, words)
    release_jobs(connection, found, FRESH)
    # A cancel that has not happened yet is taken back.
    taken_back = f"state = 'running' AND request = 'cancel' AND {AMONG}"
    connection.execute(text(f"UPDATE jobs SET request = '' WHERE {taken_back}"), words)
    # What else these runs have may be queued for others, and is ready for them too from now on.
    settle_jobs(connection, revived.difference(found), and_dependants=False)
    return found


def with_needs(connection: Connection, names: Iterable[str]) -> list[str]:
    """Return the jobs and all that they need: none can run as long as what it needs is failed."""
    query = (
        "WITH RECURSIVE closed(job) AS (SELECT value FROM json_each(:names)"
        " UNION SELECT n.needs FROM job_needs n JOIN closed c ON n.job = c.job)"
        # In the order of the table: a batch then changes pages that lie side by side.
        " SELECT job FROM jobs WHERE job IN (SELECT job FROM closed) ORDER BY rowid"
    )
    return _read_names(connection, query, {"names": json.dumps(list(names))})


def _revive_runs(connection: Connection, jobs: Iterable[str]) -> set[str]:
    """Bring the cancelled runs that have any of these jobs back alive, to want all of theirs; return those."""
    mine = "WHERE experiment = :name AND run IN (SELECT value FROM json_each(:runs))"
    revived: set[str] = set()
    for experiment, runs in _cancelled_runs(connection, jobs):
        words = {"name": experiment, "runs": runs}
        connection.execute(text(f"UPDATE runs SET cancelled = FALSE {mine}"), words)
        wants = (
            f"INSERT INTO wanted (experiment, job) SELECT experiment, job FROM run_jobs {mine} ON CONFLICT DO NOTHING"
        )
        connection.execute(text(wants), words)
        revived.update(_read_names(connection, f"SELECT job FROM run_jobs {mine}", words))
    return revived


def _cancelled_runs(connection: Connection, jobs: Iterable[str]) -> list[tuple[str, str]]:
    """Return each experiment with a JSON list of those of its runs that are cancelled and have any of these jobs."""
    # From the jobs to their runs: asked of each run in turn, it would look through all the jobs every time.
    found = connection.execute(
        text(
            "SELECT experiment, json_group_array(DISTINCT run) FROM (SELECT l.experiment, l.run"
            " FROM json_each(:names) named CROSS JOIN run_jobs l ON l.job = named.value"
            " CROSS JOIN runs r ON r.experiment = l.experiment AND r.run = l.run WHERE r.cancelled) AS found"
            " GROUP BY experiment"
        ),
        {"names": json.dumps(list(jobs))},
    )
    return [(experiment, runs) for experiment, runs in found]


def set_priority(connection: Connection, experiment: str, priority: int) -> bool:
    changed = connection.execute(
        text("UPDATE experiments SET priority = :priority WHERE experiment = :name"),
        {"priority": priority, "name": experiment},
    )
    return changed.rowcount > 0


def _read_names(connection: Connection, query: str, words: Mapping[str, Any], column: str = "job") -> list[str]:
    """Return the column that `query` gives, in its order."""
    # As one text: a hundred thousand rows take the driver and SQLAlchemy ten times as long.
    told = connection.execute(text(f"SELECT json_group_array({column}) FROM ({query}) AS found"), words)
    return list(json.loads(told.scalar_one()))
