"""Logs: takes job ids, gives the lines of their newest attempts, once or as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.home.paths import AttemptFolder, Home
from engine.inspect.log_text import read_last
from engine.schedule.lookup import name_jobs
from store.queue import Queue

LOOK = 0.3  # seconds
TAIL = 8192  # bytes of a log's end
LONGEST = 1 << 20  # letters of a line; what is longer comes in parts, as a log may be one line of gigabytes


def read_logs(home: Home, jobs: Sequence[str]) -> Iterator[str]:
    """Yield the log lines of each job's newest attempt, under a heading when there are several jobs."""
    names = name_jobs(home, jobs) if len(jobs) > 1 else {}
    for job in jobs:
        attempt = _newest(home, job)
        if len(jobs) > 1:
            yield f"== {_told(job, names)}" + (f", attempt {attempt.number}" if attempt else ": not started")
        if attempt is not None and attempt.log.exists():
            yield from _lines(attempt.log)


def _told(job: str, names: Mapping[str, str]) -> str:
    """A hash says nothing: what it is to whom stands beside it, where an experiment has it."""
    return job if names[job] == job else f"{job}, {names[job]}"


def tail_log(home: Home, job: str, most: int) -> tuple[str, ...]:
    """Return the last lines of a job's newest attempt, at most so many and TAIL bytes; none where none can be read."""
    attempt = _newest(home, job)
    if attempt is None:
        return ()
    try:
        return read_last(attempt.log, lines=most, most=TAIL).lines
    except OSError:
        return ()


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a log that may be larger than the memory."""
    with open(path, encoding="utf-8", errors="replace") as handle:
        while line := handle.readline(LONGEST):
            yield line.removesuffix("\n")


def follow_logs(home: Home, jobs: Sequence[str]) -> Iterator[str]:
    """Yield log lines as they are written, until none of the jobs can go on."""
    tails, names = {job: _Tail() for job in jobs}, name_jobs(home, jobs) if len(jobs) > 1 else {}
    while True:
        # Asked before the files are read, so that the last lines of an ending job are among what is read.
        moving = _is_moving(home, jobs)
        for job, tail in tails.items():
            attempt = _newest(home, job)
            for line in tail.new_lines(attempt.log) if attempt else ():
                yield f"{_told(job, names)}: {line}" if len(jobs) > 1 else line
        if not moving:
            return
        time.sleep(LOOK)


@dataclass
class _Tail:
    """How far a log was read; a new attempt has a new file and is read from its start."""

    path: Path | None = None
    offset: int = 0
    rest: bytes = field(default=b"")

    def new_lines(self, path: Path) -> Iterator[str]:
        if path != self.path:
            self.path, self.offset, self.rest = path, 0, b""
        if not path.exists():
            return
        with open(path, "rb") as handle:
            handle.seek(self.offset)
            while raw := handle.readline(LONGEST):
                self.offset += len(raw)
                self.rest += raw
                # A line that is still being written waits for its end.
                if raw.endswith(b"\n") or len(self.rest) >= LONGEST:
                    line, self.rest = self.rest, b""
                    yield line.removesuffix(b"\n").decode(errors="replace")


def _newest(home: Home, job: str) -> AttemptFolder | None:
    return next(reversed(home.job(job).attempts()), None)


def _is_moving(home: Home, jobs: Sequence[str]) -> bool:
    with Queue.open_readonly(home.queue_db) as queue:
        return any(row.state in ("queued", "running") for row in queue.job_rows(jobs))
