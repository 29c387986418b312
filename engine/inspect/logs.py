"""Logs: takes job ids, gives the lines of their newest attempts, once or as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.home.paths import AttemptFolder, Home
from store.queue import Queue

LOOK = 0.3  # seconds


def read_logs(home: Home, jobs: Sequence[str]) -> Iterator[str]:
    """Yield the log lines of each job's newest attempt, under a heading when there are several jobs."""
    for job in jobs:
        attempt = _newest(home, job)
        if len(jobs) > 1:
            yield f"== {job}" + (f", attempt {attempt.number}" if attempt else ": not started")
        if attempt is not None and attempt.log.exists():
            yield from attempt.log.read_text(errors="replace").splitlines()


def follow_logs(home: Home, jobs: Sequence[str]) -> Iterator[str]:
    """Yield log lines as they are written, until none of the jobs can go on."""
    tails = {job: _Tail() for job in jobs}
    while True:
        # Asked before the files are read, so that the last lines of an ending job are among what is read.
        moving = _is_moving(home, jobs)
        for job, tail in tails.items():
            attempt = _newest(home, job)
            for line in tail.new_lines(attempt.log) if attempt else ():
                yield f"{job}: {line}" if len(jobs) > 1 else line
        if not moving:
            return
        time.sleep(LOOK)


@dataclass
class _Tail:
    """How far a log was read; a new attempt has a new file and is read from its start."""

    path: Path | None = None
    offset: int = 0
    rest: str = field(default="")

    def new_lines(self, path: Path) -> list[str]:
        if path != self.path:
            self.path, self.offset, self.rest = path, 0, ""
        if not path.exists():
            return []
        with open(path, "rb") as handle:
            handle.seek(self.offset)
            raw = handle.read()
        self.offset += len(raw)
        # A line that is still being written waits for its end.
        *lines, self.rest = (self.rest + raw.decode(errors="replace")).split("\n")
        return lines


def _newest(home: Home, job: str) -> AttemptFolder | None:
    return next(reversed(home.job(job).attempts()), None)


def _is_moving(home: Home, jobs: Sequence[str]) -> bool:
    with Queue.open_readonly(home.queue_db) as queue:
        return any(row.state in ("queued", "running") for row in queue.job_rows(jobs))
