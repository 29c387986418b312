"""The queue made anew: takes experiments/ and jobs/, gives the rows that a scheduler can go on from."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import HomeError
from engine.home import Home, JobFolder, read_json
from engine.worker.lock import take_lock
from engine.worker.watch import read_object
from store.queue import Queue


def rebuild_queue(home: Home) -> int:
    """Remove queue.db, make it again under the scheduler's lock, and return how many jobs it has. Raises HomeError while a scheduler works."""
    lock = take_lock(home)
    if lock is None:
        fix = "wait until it is idle, or stop it (its jobs go on), then rebuild"
        raise HomeError("a scheduler works here, and the queue is its own", where=str(home.root), fix=fix)
    try:
        for ending in ("", "-wal", "-shm"):
            home.queue_db.with_name(home.queue_db.name + ending).unlink(missing_ok=True)
        with Queue(home.queue_db) as queue:
            fill_queue(home, queue)
            return len(queue.job_states())
    finally:
        lock.release()


def fill_queue(home: Home, queue: Queue) -> None:
    """Submit every experiment's newest record again, then give each job what its folder knows of it."""
    folders = sorted(home.experiments_root.iterdir()) if home.experiments_root.is_dir() else []
    records = [read_json(paths[-1]) for folder in folders if (paths := home.records(folder.name))]
    asked: dict[str, float] = {}
    for record in sorted(records, key=lambda entry: float(entry["submitted_at"])):
        names = [entry["job"] for entry in record["jobs"]]
        queue.add_experiment(record, {job for job in names if home.job(job).result.exists()})
        asked.update(dict.fromkeys(names, float(record["submitted_at"])))
    for job, since in asked.items():
        restore_job(queue, home.job(job), since)


@dataclass(frozen=True)
class Given:
    """An order that a person gave to a job."""

    order: str
    at: float


def read_orders(folder: JobFolder) -> Iterator[Given]:
    """Return the orders in `control.jsonl`, oldest first; torn lines are left out."""
    lines = folder.control.read_text().splitlines() if folder.control.exists() else []
    for text in lines:
        try:
            line = json.loads(text)
            yield Given(str(line["order"]), float(line["at"]))
        except (ValueError, KeyError, TypeError):
            continue


def restore_job(queue: Queue, folder: JobFolder, since: float) -> None:
    """Give a job its attempts, budgets and last verdict back; what came before `since` or a retry is forgiven."""
    orders = [given for given in read_orders(folder) if given.at >= since]
    since = max([since, *(given.at for given in orders if given.order == "retry")])
    attempts = [(attempt.number, read_object(attempt.outcome)) for attempt in folder.attempts()]
    if attempts:
        restore_attempts(queue, folder, attempts, since)
    for given in orders:
        if given.at >= since and given.order in REPLAYED:
            REPLAYED[given.order](queue, [folder.job])


def restore_attempts(
    queue: Queue, folder: JobFolder, attempts: list[tuple[int, dict[str, object] | None]], since: float
) -> None:
    counted = [told for _, told in attempts if told is not None and _time_of(told) >= since]
    spent = {"crashed": 0, "lost": 0, "ooms": 0}
    for told in counted:
        used = told.get("spent")
        for name in spent:
            spent[name] += int(used.get(name, 0)) if isinstance(used, dict) else 0
    number, last = attempts[-1]
    queue.restore_job(folder.job, attempts=number, **spent)
    for one, outcome in attempts:
        queue.restore_attempt(folder.job, one, outcome or {})
    if folder.result.exists():
        return
    if last is None:
        # Nobody has judged this attempt: it counts as running, and the scheduler finds out whether it does.
        slot = str((read_object(folder.attempt(number).handle) or {}).get("slot") or "cpu:0")
        queue.adopt(folder.job, number, slot, boot_id="", expires=0.0, now=time.time())
    elif last in counted and last.get("state") in ("failed", "cancelled"):
        queue.restore_job(folder.job, state=last["state"], reason=str(last.get("reason", "")))


def _time_of(told: dict[str, object]) -> float:
    at = told.get("ended_at")
    return float(at) if isinstance(at, int | float) else 0.0


REPLAYED = {"cancel": Queue.request_cancel, "pause": Queue.request_pause, "resume": Queue.request_resume}
