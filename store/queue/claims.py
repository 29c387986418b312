"""The scheduler's side of the queue: ready jobs, leases, outcomes, inside the caller's transaction.

Each write names the attempt it is about, and says how many rows it changed: a call repeated after a cut-off commit
changes nothing, and a verdict on an attempt that already has one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from store.queue.rows import Claim, RunningRow, Verdict
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


def list_waiting(connection: Connection) -> list[WaitingRow]:
    """Return the experiments with ready jobs, and how many jobs run for each now."""
    found = connection.execute(
        text(
            "SELECT e.experiment, e.priority, e.submitted_at,"
            # CROSS JOIN keeps SQLite to this order: the few leases first, then an index.
            " (SELECT count(*) FROM leases l CROSS JOIN wanted w ON w.job = l.job WHERE w.experiment = e.experiment)"
            " FROM experiments e WHERE EXISTS (SELECT 1 FROM ready r WHERE r.experiment = e.experiment)"
        )
    )
    return [WaitingRow(*row) for row in found]


def list_ready(connection: Connection, experiment: str, now: float, most: int) -> list[Claim]:
    """Return the experiment's first ready jobs, longest first, without those that wait out a back-off.

    A back-off that ends further away than any is long was set by a clock that has gone back since: it is over.
    """
    found = connection.execute(
        text(
            "SELECT j.job, j.kind, j.details, j.cost, j.attempts, j.ooms, j.reason"
            " FROM ready r JOIN jobs j ON j.job = r.job"
            " WHERE r.experiment = :experiment AND NOT (j.not_before > :now AND j.not_before <= :far)"
            " ORDER BY r.rank, r.job LIMIT :most"
        ),
        {"experiment": experiment, "now": now, "far": now + LONGEST_WAIT, "most": most},
    )
    return [
        Claim(r.job, r.kind, experiment, json.loads(r.details), r.cost, r.attempts, r.ooms, r.reason) for r in found
    ]


def next_wake(connection: Connection, now: float) -> float | None:
    """Return in how many seconds the next back-off among ready jobs ends (0: it has), or None."""
    found = connection.execute(
        text(
            "SELECT min(CASE WHEN not_before > :far THEN 0 ELSE max(not_before - :now, 0) END)"
            # The + keeps SQLite off the index on state: thousands are queued, and few have a back-off.
            " FROM jobs WHERE not_before > 0 AND +state = 'queued'"
        ),
        {"now": now, "far": now + LONGEST_WAIT},
    )
    value = found.scalar()
    return None if value is None else float(value)


def take_lease(
    connection: Connection, job: str, attempt: int, slot: str, *, boot_id: str, expires: float, now: float
) -> bool:
    """Lease a queued job for attempt number `attempt`; False when it is no longer queued."""
    words = {"job": job, "attempt": attempt, "slot": slot, "boot_id": boot_id, "expires": expires, "now": now}
    # The conditions are part of the write: of two calls, or one made twice, only the first can succeed.
    taken = connection.execute(
        text(
            "UPDATE jobs SET state = 'running', reason = '', request = '', attempts = :attempt,"
            " started_at = :now, ended_at = NULL WHERE job = :job AND state = 'queued' AND attempts < :attempt"
        ),
        words,
    )
    if taken.rowcount == 0:
        return False
    connection.execute(text("DELETE FROM ready WHERE job = :job"), words)
    put_running(connection, words)
    return True


def put_running(connection: Connection, words: dict[str, Any]) -> None:
    """Write the attempt and its lease. `words`: job, attempt, slot, boot_id, expires, now."""
    connection.execute(
        text(
            # OR REPLACE, because a call that was cut off is made again.
            "INSERT OR REPLACE INTO attempts (job, attempt, slot, started_at, reason)"
            " VALUES (:job, :attempt, :slot, :now, '')"
        ),
        words,
    )
    connection.execute(
        text(
            "INSERT OR REPLACE INTO leases (job, attempt, slot, boot_id, expires)"
            " VALUES (:job, :attempt, :slot, :boot_id, :expires)"
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
            "INSERT OR REPLACE INTO attempts (job, attempt, slot, started_at, ended_at, outcome, exit, reason)"
            " VALUES (:job, :attempt, :slot, :started_at, :ended_at, :outcome, :exit, :reason)"
        ),
        words,
    )


def tell_reasons(connection: Connection, reasons: Mapping[str, str]) -> None:
    """Write why queued jobs wait, "" where they no longer do."""
    rows = [{"job": job, "reason": reason} for job, reason in reasons.items()]
    # A back-off that ended long ago: `status` finds who waits for a reason by the small index on back-offs.
    wait = "not_before = CASE WHEN :reason = '' THEN 0.0 ELSE max(not_before, 1.0) END"
    connection.execute(text(f"UPDATE jobs SET reason = :reason, {wait} WHERE job = :job AND state = 'queued'"), rows)


def renew_leases(connection: Connection, held: Iterable[tuple[str, int]], boot_id: str, expires: float) -> None:
    """Push out the leases of attempts that were seen alive."""
    rows = [{"job": job, "attempt": attempt, "boot_id": boot_id, "expires": expires} for job, attempt in held]
    if rows:
        held_by = "WHERE job = :job AND attempt = :attempt"
        connection.execute(text(f"UPDATE leases SET boot_id = :boot_id, expires = :expires {held_by}"), rows)


def finish_attempt(
    connection: Connection, job: str, attempt: int, verdict: Verdict, now: float, started_at: float | None = None
) -> str | None:
    """Write the verdict and free the lease; return the job's new state, or None when the attempt had ended before.

    A person's request counts here, in the same transaction: what was to be cancelled or paused is not queued again.
    """
    freed = connection.execute(
        text("DELETE FROM leases WHERE job = :job AND attempt = :attempt"), {"job": job, "attempt": attempt}
    )
    if freed.rowcount == 0:
        return None
    row = connection.execute(text("SELECT request FROM jobs WHERE job = :job"), {"job": job}).one_or_none()
    state, outcome = _obey_request(verdict, row.request if row else "")
    spent = {f"add_{name}": verdict.spent.get(name, 0) for name in ("crashed", "lost", "ooms")}
    words = {
        "job": job,
        "attempt": attempt,
        "state": state,
        "outcome": outcome,
        "exit": verdict.exit,
        "reason": verdict.reason,
        "now": now,
        "started_at": started_at,
        "not_before": now + verdict.wait if verdict.wait else 0.0,
        **spent,
    }
    # Blocked for now: `settle_jobs` decides what is queued, and keeps the ready list with it.
    connection.execute(
        text(
            "UPDATE jobs SET state = CASE :state WHEN 'queued' THEN 'blocked' ELSE :state END, reason = :reason,"
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
    settle_jobs(connection, [job])
    return state


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


def _running_row(row: Row[Any]) -> RunningRow:
    words = dict(row._mapping)
    return RunningRow(**{**words, "details": json.loads(words["details"])})


def has_work(connection: Connection) -> bool:
    """Return whether anything runs or could run, now or after a back-off."""
    found = connection.execute(text("SELECT EXISTS (SELECT 1 FROM leases) OR EXISTS (SELECT 1 FROM ready)"))
    return bool(found.scalar_one())
