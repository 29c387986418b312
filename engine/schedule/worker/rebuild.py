"""The queue made anew: takes experiments/ and jobs/, gives the rows that a scheduler can go on from."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.errors import HomeError
from engine.home.commits import Damage, find_damage
from engine.home.control_files import OutcomeFile, read_handle, read_outcome
from engine.home.paths import Home, JobFolder
from engine.home.records import find_record_damage, read_record
from engine.home.records import newest_records as records_by_name
from engine.launch.process import boot_id
from engine.schedule.given import Given, read_orders, read_priority
from engine.schedule.keep.trash import finish_removals
from engine.schedule.worker.lock import scheduler_place, take_lock
from store.queue import Queue, QueueFault

log = logging.getLogger("xp.scheduler")


def list_damage(home: Home) -> list[Damage]:
    """Return what a queue that is made anew cannot know: damaged submissions, and jobs whose commit is damaged."""
    return [*find_record_damage(home), *(one for folder in home.jobs() for one in find_damage(folder))]


def rebuild_queue(home: Home) -> int:
    """Remove queue.db, make it again under the scheduler's lock, and return how many jobs it has.

    Raises HomeError while a scheduler works.
    """
    lock = take_lock(home)
    if lock is None:
        place = scheduler_place(home)
        how = f": kill {place[0]} on {place[1]}" if place else ""
        fix = f"wait until it is idle, or stop it{how} (its jobs go on), then rebuild"
        raise HomeError("a scheduler works here, and the queue is its own", where=str(home.root), fix=fix)
    try:
        _check_alone(home)
        return make_queue(home)
    finally:
        lock.release()


def _check_alone(home: Home) -> None:
    """Raise HomeError where a scheduler of another host works on the queue."""
    with suppress(QueueFault), Queue.open_readonly(home.queue_db) as queue:
        if queue.works_elsewhere(boot_id()):
            fix = "stop that one, wait two minutes (its leases end), then rebuild"
            raise HomeError("a scheduler of another host works on the queue", where=str(home.queue_db), fix=fix)


def make_queue(home: Home) -> int:
    """Make queue.db anew (the caller holds the scheduler's lock); return how many jobs it has.

    A kill at any line leaves the old file or the new one. The old one is closed first: its -wal beside a new file
    would be taken for the new file's own.
    """
    beside = home.queue_db.with_name(f".{home.queue_db.name}.tmp")
    # What lies here was left by a rebuild that was killed: we hold the lock.
    for path in _parts_of(beside):
        path.unlink(missing_ok=True)
    with Queue(beside) as queue:
        fill_queue(home, queue)
        count = len(queue.job_states())
        # Folds the -wal into the file, because only the file is renamed.
        queue.shrink_log()
        # On a server it is the rows that take the place of the old ones, for every host at once.
        if queue.take_place(home.queue_db):
            beside.unlink()
            return count
    if home.queue_db.exists():
        with suppress(QueueFault, RuntimeError), Queue(home.queue_db) as old:
            old.shrink_log()
    # Not the old file itself: it stays until the new one takes its name.
    for path in _parts_of(home.queue_db)[1:]:
        path.unlink(missing_ok=True)
    os.replace(beside, home.queue_db)
    for path in _parts_of(beside):
        path.unlink(missing_ok=True)
    return count


def _parts_of(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")]


def newest_records(home: Home) -> list[dict[str, Any]]:
    """Return each experiment's newest submission, the one submitted first in front; a damaged one stops no other."""
    records: list[dict[str, Any]] = []
    for path in records_by_name(home).values():
        try:
            records.append(read_record(path))
        except HomeError as error:
            log.warning("%s is left out: %s", error.where, error.what)
    return sorted(records, key=lambda record: float(record["submitted_at"]))


def add_record(home: Home, queue: Queue, record: dict[str, Any]) -> list[str]:
    """Queue a submission as its command would; return its jobs."""
    names = [str(entry["job"]) for entry in record["jobs"]]
    queue.add_experiment(record, {job for job in names if home.job(job).result.exists()})
    return names


def add_again(home: Home, queue: Queue, record: dict[str, Any]) -> None:
    """Queue a submission that was there before; jobs that the queue does not have get back what their folders know."""
    known = queue.job_states().keys()
    asked = [job for job in add_record(home, queue, record) if job not in known]
    given, since = read_orders(home, asked), float(record["submitted_at"])
    for job in asked:
        restore_job(queue, home.job(job), since, given[job])


def heal_queue(home: Home, queue: Queue) -> None:
    """Queue the submissions that were written down but not queued: their command was killed in between.

    And take out what a command removed that was killed before it told the queue.
    """
    finish_removals(home, queue)
    known = {row.experiment: row.submitted_at for row in queue.experiments()}
    for record in newest_records(home):
        # Both times come from the same JSON text, so equal means the same submission.
        if known.get(record["name"]) != float(record["submitted_at"]):
            add_record(home, queue, record)


def fill_queue(home: Home, queue: Queue) -> None:
    """Submit every experiment's newest record again, then give each job what its folder knows of it."""
    asked: dict[str, float] = {}
    for record in newest_records(home):
        # A job that several experiments have is forgiven up to the newest of their submissions.
        asked.update(dict.fromkeys(add_record(home, queue, record), float(record["submitted_at"])))
        priority = read_priority(home, record["name"], float(record["submitted_at"]))
        if priority is not None:
            queue.set_priority(record["name"], priority)
    given = read_orders(home, asked)
    for job, since in asked.items():
        restore_job(queue, home.job(job), since, given[job])


def restore_job(queue: Queue, folder: JobFolder, since: float, given: Sequence[Given]) -> None:
    """Give a job its attempts, budgets and last verdict back; what came before `since` or a retry is forgiven."""
    orders = [one for one in given if one.at >= since]
    since = max([since, *(one.at for one in orders if one.order == "retry")])
    attempts = [(attempt.number, read_outcome(attempt)) for attempt in folder.attempts()]
    if attempts:
        restore_attempts(queue, folder, attempts, since)
    for one in orders:
        if one.at >= since and one.order in REPLAYED:
            REPLAYED[one.order](queue, [folder.job])


def restore_attempts(
    queue: Queue, folder: JobFolder, attempts: list[tuple[int, OutcomeFile | None]], since: float
) -> None:
    counted = [told for _, told in attempts if told is not None and (told.ended_at or 0.0) >= since]
    spent = {"crashed": 0, "lost": 0, "ooms": 0}
    for told in counted:
        for name in spent:
            spent[name] += told.spent.get(name, 0)
    number, last = attempts[-1]
    queue.restore_job(folder.job, attempts=number, **spent)
    for one, outcome in attempts:
        queue.restore_attempt(folder.job, one, outcome.model_dump() if outcome else {})
    if folder.result.exists():
        return
    if last is None:
        # Nobody has judged this attempt: it counts as running, and the scheduler finds out whether it does.
        handle = read_handle(folder.attempt(number))
        slot = (handle.slot if handle else "") or "cpu:0"
        # No boot and a lease in the past: only its process can speak for it.
        queue.adopt(folder.job, number, slot, boot_id="", expires=0.0, now=time.time())
    elif last in counted and last.state in ("failed", "cancelled"):
        queue.restore_job(folder.job, state=last.state, reason=last.reason)


# Not retry: `restore_job` forgives what came before one.
REPLAYED = {"cancel": Queue.request_cancel, "pause": Queue.request_pause, "resume": Queue.request_resume}
