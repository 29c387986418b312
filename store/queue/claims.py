"""The scheduler's side of the queue: ready jobs, leases, outcomes, inside the caller's transaction.

Each write names the attempt it is about, and says how many rows it changed: a call repeated after a cut-off commit
changes nothing, and a verdict on an attempt that already has one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from store.queue.rows import Claim, End, RunningRow, Start, Verdict
from store.queue.sql import SKIP_TAKEN, read_details, text
from store.queue.submit import settle_jobs

# Twice the longest back-off (policy.MOST_WAIT), so that a clock that is a little off is still believed.
LONGEST_WAIT = 120.0


@dataclass(frozen=True)
class WaitingRow:
    """An experiment that has ready jobs, with what decides whose turn it is."""

    experiment: str
    priority: int
    submitted_at: float
    running: int


def list_waiting(connection: Connection, running: Mapping[str, int] | None = None) -> list[WaitingRow]:
    """Return the experiments with ready jobs, and how many jobs run for each now; `running` where that is known."""
    counts = count_running(connection) if running is None else running
    found = connection.execute(
        text(
            "SELECT e.experiment, e.priority, e.submitted_at FROM experiments e"
            " WHERE EXISTS (SELECT 1 FROM ready r WHERE r.experiment = e.experiment)"
        )
    )
    return [WaitingRow(name, priority, at, counts.get(name, 0)) for name, priority, at in found]


def count_running(connection: Connection, jobs: Iterable[str] | None = None) -> dict[str, int]:
    """Return how many of the leased jobs, or of these, each experiment wants."""
    those = "leases l" if jobs is None else "(SELECT value AS job FROM json_each(:names)) l"
    found = connection.execute(
        # CROSS JOIN keeps SQLite to this order: the few leases first, then an index.
        text(f"SELECT w.experiment, count(*) FROM {those} CROSS JOIN wanted w ON w.job = l.job GROUP BY w.experiment"),
        {"names": json.dumps(list(jobs or ()))},
    )
    return {row[0]: row[1] for row in found}


def list_ready(connection: Connection, experiment: str, now: float, most: int) -> list[Claim]:
    """Return the experiment's first ready jobs, longest first, without those that wait out a back-off.

    A back-off that ends further away than any is long was set by a clock that has gone back since: it is over.
    """
    found = connection.execute(
        text(
            "SELECT j.job, j.kind, j.details, j.cost, j.attempts, j.ooms, j.reason,"
            " (SELECT json_group_array(w.experiment) FROM wanted w WHERE w.job = j.job) AS owners"
            " FROM ready r JOIN jobs j ON j.job = r.job"
            " WHERE r.experiment = :experiment AND NOT (j.not_before > :now AND j.not_before <= :far)"
            " ORDER BY r.rank, r.job LIMIT :most"
        ),
        {"experiment": experiment, "now": now, "far": now + LONGEST_WAIT, "most": most},
    )
    return [
        Claim(job, kind, experiment, read_details(details), cost, attempts, ooms, reason, tuple(json.loads(owners)))
        for job, kind, details, cost, attempts, ooms, reason, owners in found
    ]


def next_wake(connection: Connection, now: float) -> float | None:
    """Return in how many seconds the next back-off among ready jobs ends (0: it has), or None."""
    found = connection.execute(
        text(
            "SELECT min(CASE WHEN not_before > :far OR not_before < :now THEN 0.0 ELSE not_before - :now END)"
            # The + keeps SQLite off the index on state: thousands are queued, and few have a back-off.
            " FROM jobs WHERE not_before > 0 AND +state = 'queued'"
        ),
        {"now": now, "far": now + LONGEST_WAIT},
    )
    value = found.scalar()
    return None if value is None else float(value)


def take_leases(
    connection: Connection, starts: Iterable[Start], *, boot_id: str, expires: float, now: float
) -> list[RunningRow]:
    """Lease queued jobs; return those that were leased: not one that is no longer queued, or an attempt that was."""
    asked = {start.job: start for start in starts}
    # Of two that ask, or one that asks twice, only the first can succeed: this is part of a write.
    rows = connection.execute(
        text(
            "SELECT job, kind, details, attempts, crashed, lost, ooms FROM jobs"
            f" WHERE +state = 'queued' AND job IN (SELECT value FROM json_each(:names)) {SKIP_TAKEN}"
        ),
        {"names": json.dumps(list(asked))},
    ).all()
    free = {row.job: row for row in rows if row.attempts < asked[row.job].attempt}
    won = [start for job, start in asked.items() if job in free]
    held = {"boot_id": boot_id, "expires": expires, "now": now}
    words = [{"job": start.job, "attempt": start.attempt, "slot": start.slot, **held} for start in won]
    if not words:
        return []
    connection.execute(
        text(
            "UPDATE jobs SET state = 'running', reason = '', request = '', attempts = :attempt,"
            " started_at = :now, ended_at = NULL WHERE job = :job"
        ),
        words,
    )
    connection.execute(
        text("DELETE FROM ready WHERE job IN (SELECT value FROM json_each(:names))"), {"names": json.dumps(list(free))}
    )
    put_running(connection, words)
    return [
        RunningRow(
            row.job, row.kind, start.attempt, start.slot, read_details(row.details), "", now, boot_id, expires,
            row.crashed, row.lost, row.ooms,
        )
        for start, row in ((start, free[start.job]) for start in won)
    ]  # fmt: skip


def give_back(connection: Connection, rows: Sequence[RunningRow]) -> None:
    """Queue leased jobs again of which nothing was started, as if they had never been leased."""
    words = [{"job": row.job, "attempt": row.attempt} for row in rows]
    if not words:
        return
    for table in ("leases", "attempts"):
        connection.execute(text(f"DELETE FROM {table} WHERE job = :job AND attempt = :attempt"), words)
    connection.execute(
        text("UPDATE jobs SET state = 'blocked', attempts = attempts - 1, started_at = NULL WHERE job = :job"), words
    )
    settle_jobs(connection, [row.job for row in rows], and_dependants=False)


def put_running(connection: Connection, words: list[dict[str, Any]]) -> None:
    """Write attempts and their leases. `words`: job, attempt, slot, boot_id, expires, now."""
    connection.execute(
        text(
            # What is there is replaced, because a call that was cut off is made again.
            "INSERT INTO attempts (job, attempt, slot, started_at, reason) VALUES (:job, :attempt, :slot, :now, '')"
            " ON CONFLICT (job, attempt) DO UPDATE SET slot = excluded.slot, started_at = excluded.started_at,"
            " ended_at = NULL, outcome = NULL, exit = NULL, reason = ''"
        ),
        words,
    )
    connection.execute(
        text(
            "INSERT INTO leases (job, attempt, slot, boot_id, expires)"
            " VALUES (:job, :attempt, :slot, :boot_id, :expires) ON CONFLICT (job) DO UPDATE SET"
            " attempt = excluded.attempt, slot = excluded.slot, boot_id = excluded.boot_id, expires = excluded.expires"
        ),
        words,
    )


def put_attempt(connection: Connection, job: str, attempt: int, outcome: Mapping[str, Any]) -> None:
    """Write an attempt as its outcome file tells it; without one it is called lost."""
    words = {name: outcome.get(name) for name in ("slot", "started_at", "ended_at", "outcome", "exit", "reason")}
    words |= {"job": job, "attempt": attempt, "outcome": words["outcome"] or "lost"}
    words |= {"slot": words["slot"] or "", "started_at": words["started_at"] or 0.0, "reason": words["reason"] or ""}
    connection.execute(
        text(
            "INSERT INTO attempts (job, attempt, slot, started_at, ended_at, outcome, exit, reason)"
            " VALUES (:job, :attempt, :slot, :started_at, :ended_at, :outcome, :exit, :reason)"
            " ON CONFLICT (job, attempt) DO UPDATE SET slot = excluded.slot, started_at = excluded.started_at,"
            " ended_at = excluded.ended_at, outcome = excluded.outcome, exit = excluded.exit, reason = excluded.reason"
        ),
        words,
    )


def tell_reasons(connection: Connection, reasons: Mapping[str, str]) -> None:
    """Write why queued jobs wait, "" where they no longer do."""
    rows = [{"job": job, "reason": reason} for job, reason in reasons.items()]
    # A back-off that ended long ago: `status` finds who waits for a reason by the small index on back-offs.
    wait = "not_before = CASE WHEN :reason = '' THEN 0.0 WHEN not_before > 1.0 THEN not_before ELSE 1.0 END"
    connection.execute(text(f"UPDATE jobs SET reason = :reason, {wait} WHERE job = :job AND state = 'queued'"), rows)


def renew_leases(connection: Connection, held: Iterable[tuple[str, int]], boot_id: str, expires: float) -> None:
    """Push out the leases of attempts that were seen alive."""
    rows = [{"job": job, "attempt": attempt, "boot_id": boot_id, "expires": expires} for job, attempt in held]
    if rows:
        held_by = "WHERE job = :job AND attempt = :attempt"
        connection.execute(text(f"UPDATE leases SET boot_id = :boot_id, expires = :expires {held_by}"), rows)


@dataclass(frozen=True)
class Ended:
    """What became of attempts that ended: each job's new state (one that had ended before has none here), which
    experiments have jobs ready now for it, and how many fewer run for each."""

    states: dict[str, str]
    woken: frozenset[str] = frozenset()
    freed: Mapping[str, int] = field(default_factory=dict)


def finish_attempts(connection: Connection, ends: Iterable[End]) -> Ended:
    """Write verdicts and free the leases.

    A person's request counts here, in the same transaction: what was to be cancelled or paused is not queued again.
    """
    told = {(end.job, end.attempt): end for end in ends}
    leased = connection.execute(
        text(
            "SELECT l.job, l.attempt, j.request FROM leases l JOIN jobs j ON j.job = l.job"
            " WHERE l.job IN (SELECT value FROM json_each(:names))"
        ),
        {"names": json.dumps([job for job, _ in told])},
    )
    words = [_end_words(told[job, attempt], request) for job, attempt, request in leased if (job, attempt) in told]
    if not words:
        return Ended({})
    jobs = [word["job"] for word in words]
    connection.execute(
        text("DELETE FROM leases WHERE job IN (SELECT value FROM json_each(:names))"), {"names": json.dumps(jobs)}
    )
    # Blocked for now: `settle_jobs` decides what is queued, and keeps the ready list with it.
    connection.execute(
        text(
            "UPDATE jobs SET state = :next, reason = :reason,"
            " request = '', started_at = coalesce(:started_at, started_at), ended_at = :now,"
            " not_before = :not_before, crashed = crashed + :add_crashed,"
            " lost = lost + :add_lost, ooms = ooms + :add_ooms WHERE job = :job"
        ),
        words,
    )
    connection.execute(
        text(
            "UPDATE attempts SET started_at = coalesce(:started_at, started_at), ended_at = :now, outcome = :outcome,"
            " exit = :exit, reason = :reason"
            " WHERE job = :job AND attempt = :attempt"
        ),
        words,
    )
    woken = list_woken(connection, settle_jobs(connection, jobs))
    return Ended({word["job"]: word["state"] for word in words}, woken, count_running(connection, jobs))


def list_woken(connection: Connection, jobs: Iterable[str]) -> frozenset[str]:
    """Return the experiments for which any of these jobs is ready."""
    query = "SELECT DISTINCT experiment FROM ready WHERE job IN (SELECT value FROM json_each(:names))"
    return frozenset(connection.execute(text(query), {"names": json.dumps(sorted(jobs))}).scalars())


def _end_words(end: End, request: str) -> dict[str, Any]:
    verdict = end.verdict
    state, outcome = _obey_request(verdict, request)
    return {
        "job": end.job,
        "attempt": end.attempt,
        "state": state,
        "next": "blocked" if state == "queued" else state,
        "outcome": outcome,
        "exit": verdict.exit,
        "reason": verdict.reason,
        "now": end.now,
        "started_at": end.started_at,
        "not_before": end.now + verdict.wait if verdict.wait else 0.0,
        **{f"add_{name}": verdict.spent.get(name, 0) for name in ("crashed", "lost", "ooms")},
    }


def _obey_request(verdict: Verdict, request: str) -> tuple[str, str]:
    """Return (job state, attempt outcome); a result that was committed counts whatever a person asked for."""
    if request == "cancel" and verdict.state in ("queued", "failed"):
        return "cancelled", "cancelled"
    if request == "pause" and verdict.state == "queued":
        return "paused", verdict.outcome
    return verdict.state, verdict.outcome


def list_running(connection: Connection) -> list[RunningRow]:
    found = connection.execute(
        text(
            "SELECT l.job, j.kind, l.attempt, l.slot, j.details, j.request, a.started_at, l.boot_id, l.expires,"
            " j.crashed, j.lost, j.ooms FROM leases l JOIN jobs j ON j.job = l.job"
            " JOIN attempts a ON a.job = l.job AND a.attempt = l.attempt ORDER BY a.started_at, l.job"
        )
    )
    return [_running_row(row) for row in found]


def list_requests(connection: Connection) -> dict[str, str]:
    """Return what a person wants of jobs that run."""
    query = "SELECT l.job, j.request FROM leases l CROSS JOIN jobs j ON j.job = l.job WHERE j.request != ''"
    return {row[0]: row[1] for row in connection.execute(text(query))}


def _running_row(row: Row[Any]) -> RunningRow:
    words = dict(row._mapping)
    return RunningRow(**{**words, "details": read_details(words["details"])})


def has_work(connection: Connection) -> bool:
    """Return whether anything runs or could run, now or after a back-off."""
    found = connection.execute(text("SELECT EXISTS (SELECT 1 FROM leases) OR EXISTS (SELECT 1 FROM ready)"))
    return bool(found.scalar_one())
