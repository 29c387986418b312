"""What tests of the queue do all the time: lease a job, end it, see what is ready, look into the file itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import text

from store.queue import Queue, Verdict
from store.queue.place import find_server
from store.queue.postgres import PostgresQueue
from tests.helpers.queueing import Probe, make_record

DONE = Verdict("done", "done")
PAIR = (Probe("pack-1"), Probe("train-1", ("pack-1",)))


def submit(queue: Queue, *jobs: str, name: str = "one") -> None:
    queue.add_experiment(make_record(name, [Probe(job) for job in jobs]))


def take(queue: Queue, job: str, attempt: int = 1, now: float = 1.0) -> bool:
    return queue.lease(job, attempt, "cpu:0", boot_id="boot", expires=60.0, now=now)


def end(queue: Queue, job: str, verdict: Verdict = DONE, attempt: int = 1) -> str | None:
    """Lease a job and write its end."""
    assert take(queue, job, attempt)
    return queue.finish(job, attempt, verdict, 2.0)


def ready(queue: Queue, experiment: str = "one") -> list[str]:
    return [claim.job for claim in queue.ready_jobs(experiment, now=100.0)]


def look(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement past the queue: on the file, or on the server where tests/cluster runs this."""
    if (server := find_server(path)) is not None:
        engine = PostgresQueue(server).open(readonly=False)
        with engine.begin() as connection:
            told = connection.execute(text(sql))
            found = [tuple(row) for row in told] if told.returns_rows else []
        engine.dispose()
        return found
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()
