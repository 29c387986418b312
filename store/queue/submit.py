"""Experiments in: takes a submission's record, gives the rows of its runs and jobs, inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from store.queue.sql import insert, text
from store.queue.tables import experiments, job_needs, jobs, run_jobs, runs

UNWANTED = "no run asks for it any more"
HELD = "left out by --fill; xp resume lets it go on"
# A need without a row is not done.
UNMET = (
    "EXISTS (SELECT 1 FROM job_needs n LEFT JOIN jobs d ON d.job = n.needs"
    " WHERE n.job = jobs.job AND coalesce(d.state, '') != 'done')"
)
LIST_READY = (
    "INSERT INTO ready (experiment, rank, job) SELECT w.experiment, -j.chain, j.job"
    " FROM jobs j JOIN wanted w ON w.job = j.job"
    " WHERE +j.state = 'queued' AND j.job IN (SELECT value FROM json_each(:names)) ON CONFLICT DO NOTHING"
)
FRESH = {"reason": "", "request": "", "crashed": 0, "lost": 0, "ooms": 0, "not_before": 0.0}


def add_experiment(connection: Connection, record: Mapping[str, Any], done: frozenset[str]) -> None:
    """Replace the experiment's runs by the record's; `done` are its jobs that have a result on disk."""
    name = str(record["name"])
    _put_experiment(connection, record)
    _put_runs(connection, name, record["runs"])
    _put_jobs(connection, record["jobs"])
    touched = [entry["job"] for entry in record["jobs"]]
    _refresh_states(connection, touched, done)
    dropped = remake_wanted(connection, name)
    _retire_unwanted(connection, dropped)
    _hold_jobs(connection, name, record.get("held", ()))
    # Last, as the ready list follows from the states.
    settle_jobs(connection, [*touched, *dropped])


def grow_experiment(connection: Connection, record: Mapping[str, Any], done: frozenset[str]) -> None:
    """Take in what a submission that grows has more of now; what was there keeps its state, failed jobs too."""
    name = str(record["name"])
    known = set(connection.execute(text("SELECT job FROM jobs")).scalars())
    run_rows, link_rows = _run_rows(name, record["runs"])
    for table, rows in ((runs, run_rows), (run_jobs, link_rows)):
        if rows:
            connection.execute(insert(connection, table).on_conflict_do_nothing(), rows)
    fresh = [entry for entry in record["jobs"] if entry["job"] not in known]
    _put_jobs(connection, fresh)
    touched = [entry["job"] for entry in fresh]
    mark_done(connection, [job for job in touched if job in done])
    remake_wanted(connection, name)
    settle_jobs(connection, touched)


def _put_experiment(connection: Connection, record: Mapping[str, Any]) -> None:
    row = {
        "experiment": record["name"],
        "title": record.get("title") or "",
        "submitted_at": float(record["submitted_at"]),
        "priority": int(record.get("priority") or 0),
    }
    put = insert(connection, experiments).values(row)
    connection.execute(put.on_conflict_do_update(index_elements=["experiment"], set_=row))


def _put_runs(connection: Connection, name: str, entries: Iterable[Mapping[str, Any]]) -> None:
    """Runs that were cancelled come back alive: to submit is to ask for them."""
    run_rows, link_rows = _run_rows(name, entries)
    for table, rows in ((runs, run_rows), (run_jobs, link_rows)):
        connection.execute(table.delete().where(table.c.experiment == name))
        if rows:
            # A run that needs one job in two roles keeps the first.
            connection.execute(insert(connection, table).on_conflict_do_nothing(), rows)


def _run_rows(name: str, entries: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of runs, and those of the jobs that each needs."""
    run_rows: list[dict[str, Any]] = []
    link_rows: list[dict[str, Any]] = []
    for position, entry in enumerate(entries):
        key = {"experiment": name, "run": entry["run"]}
        words = {word: entry[word] for word in ("arm", "cell", "seed")}
        run_rows.append({**key, **words, "position": position, "cancelled": False})
        link_rows += [{**key, "job": job, "role": role} for role, job in entry["jobs"].items()]
    return run_rows, link_rows


def _put_jobs(connection: Connection, entries: Iterable[Mapping[str, Any]]) -> None:
    blank = {**FRESH, "state": "blocked", "attempts": 0, "started_at": None, "ended_at": None}
    rows = [
        {
            **blank,
            "job": entry["job"],
            "kind": entry["kind"],
            # Sorted, so that equal details are equal texts, of which `status` reads each once.
            "details": json.dumps(entry.get("details") or {}, sort_keys=True),
            "cost": float(entry.get("cost") or 0.0),
            "chain": float(entry.get("chain") or entry.get("cost") or 0.0),
        }
        for entry in entries
    ]
    needs = [{"job": entry["job"], "needs": need} for entry in entries for need in entry.get("needs", ())]
    if rows:
        # A job that is there keeps its state and its attempts.
        put = insert(connection, jobs)
        newer = {"details": put.excluded.details, "cost": put.excluded.cost, "chain": put.excluded.chain}
        connection.execute(put.on_conflict_do_update(index_elements=["job"], set_=newer), rows)
    if needs:
        connection.execute(insert(connection, job_needs).on_conflict_do_nothing(), needs)


def _refresh_states(connection: Connection, touched: list[str], done: frozenset[str]) -> None:
    """Results on disk decide `done`, both ways; failed and cancelled jobs start afresh; paused ones stay paused."""
    todo = [job for job in touched if job not in done]
    fresh = ", ".join(f"{name} = :{name}" for name in FRESH)
    # What an earlier submission left out is asked for now, unless this one leaves it out too.
    ended = "(state IN ('failed', 'cancelled', 'done') OR (state = 'paused' AND reason = :held))"
    connection.execute(
        text(f"UPDATE jobs SET state = 'blocked', {fresh} WHERE {_among()} AND {ended}"),
        {**FRESH, "names": json.dumps(todo), "held": HELD},
    )
    # To submit is to want it: a cancel that has not happened yet is taken back.
    connection.execute(
        text(f"UPDATE jobs SET request = '' WHERE state = 'running' AND request = 'cancel' AND {_among()}"),
        {"names": json.dumps(todo)},
    )
    mark_done(connection, [job for job in touched if job in done])


def mark_done(connection: Connection, names: Iterable[str]) -> None:
    """A running attempt is left to the scheduler, which finds the same result when it looks."""
    connection.execute(
        text(f"UPDATE jobs SET state = 'done', reason = '', request = '' WHERE state != 'running' AND {_among()}"),
        {"names": json.dumps(list(names))},
    )


def remake_wanted(connection: Connection, name: str) -> list[str]:
    """Rebuild `wanted` of this experiment from its live runs; return the jobs it wanted before and now does not."""
    key = {"name": name}
    before = set(connection.execute(text("SELECT job FROM wanted WHERE experiment = :name"), key).scalars())
    connection.execute(text("DELETE FROM wanted WHERE experiment = :name"), key)
    connection.execute(
        text(
            "INSERT INTO wanted (experiment, job) SELECT l.experiment, l.job FROM run_jobs l"
            " JOIN runs r ON r.experiment = l.experiment AND r.run = l.run"
            " WHERE l.experiment = :name AND NOT r.cancelled ON CONFLICT DO NOTHING"
        ),
        key,
    )
    after = set(connection.execute(text("SELECT job FROM wanted WHERE experiment = :name"), key).scalars())
    return sorted(before - after)


def narrow_wanted(connection: Connection, name: str, jobs: Iterable[str]) -> None:
    """Take those of `jobs` out of `wanted` of this experiment that none of its live runs needs."""
    # CROSS JOIN and + keep SQLite to the job's own few runs: it would go through all of the experiment's.
    live = (
        "SELECT 1 FROM run_jobs l CROSS JOIN runs r ON r.experiment = l.experiment AND r.run = l.run"
        " WHERE l.job = wanted.job AND +l.experiment = wanted.experiment AND NOT r.cancelled"
    )
    connection.execute(
        text(f"DELETE FROM wanted WHERE experiment = :name AND {_among()} AND NOT EXISTS ({live})"),
        {"name": name, "names": json.dumps(list(jobs))},
    )


def _retire_unwanted(connection: Connection, dropped: list[str]) -> None:
    """Cancel the jobs that no run asks for any more; what runs may end, and what is done stays."""
    connection.execute(
        text(
            "UPDATE jobs SET state = 'cancelled', reason = :reason WHERE state IN ('blocked', 'queued', 'paused')"
            f" AND {_among()} AND job NOT IN (SELECT job FROM wanted)"
        ),
        {"reason": UNWANTED, "names": json.dumps(dropped)},
    )


def _hold_jobs(connection: Connection, name: str, held: Iterable[str]) -> None:
    """Pause the jobs that a submission names and does not want done now, unless another experiment wants them."""
    connection.execute(
        text(
            "UPDATE jobs SET state = 'paused', reason = :reason WHERE state IN ('blocked', 'queued')"
            f" AND {_among()} AND job NOT IN (SELECT job FROM wanted WHERE experiment != :name)"
        ),
        {"reason": HELD, "names": json.dumps(list(held)), "name": name},
    )


def settle_jobs(connection: Connection, names: Iterable[str], *, and_dependants: bool = True) -> set[str]:
    """Make blocked/queued and the ready list right again for these jobs, and for those that need them; return them all.

    The latter are left out where no job was made done or undone.
    """
    found = _with_dependants(connection, list(names)) if and_dependants else set(names)
    if not found:
        return found
    touched = json.dumps(sorted(found))
    # +state: these jobs are few, and the index on state would give every blocked one.
    for statement in (
        f"UPDATE jobs SET state = 'queued' WHERE +state = 'blocked' AND {_among()} AND NOT {UNMET}",
        f"UPDATE jobs SET state = 'blocked' WHERE +state = 'queued' AND {_among()} AND {UNMET}",
        f"DELETE FROM ready WHERE {_among()}",
        LIST_READY,
    ):
        connection.execute(text(statement), {"names": touched})
    return found


def release_jobs(connection: Connection, names: list[str], columns: Mapping[str, Any]) -> None:
    """Make jobs that stood still (paused, failed, cancelled) queued or blocked, and set `columns` of their rows.

    What settle_jobs does, in a third of the time: none of them is in the ready list, and each row is written once.
    """
    words = {**columns, "names": json.dumps(names)}
    settings = "".join(f", {name} = :{name}" for name in columns)
    state = f"CASE WHEN {UNMET} THEN 'blocked' ELSE 'queued' END"
    connection.execute(text(f"UPDATE jobs SET state = {state}{settings} WHERE {_among()}"), words)
    connection.execute(text(LIST_READY), words)


def _with_dependants(connection: Connection, names: list[str]) -> set[str]:
    found = connection.execute(
        text("SELECT job FROM job_needs WHERE needs IN (SELECT value FROM json_each(:names))"),
        {"names": json.dumps(names)},
    )
    return {*names, *found.scalars()}


def _among() -> str:
    """A list of any length in one parameter: SQLite limits how many parameters a statement takes."""
    return "job IN (SELECT value FROM json_each(:names))"
