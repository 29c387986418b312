"""What attempts leave in their folders, read without trust: a file may be missing, torn or older than it looks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from engine.home.files import read_object
from engine.home.paths import AttemptFolder, JobFolder

LAST_BYTES = 4096
NO_SPACE = os.strerror(errno.ENOSPC)
LEAST_ROOM = 64 << 20
LAST_LETTERS = 300


def read_progress(attempt: AttemptFolder) -> object:
    """Return what changes while the attempt makes progress, or None when it has not beaten yet."""
    beat = read_object(attempt.heartbeat)
    return None if beat is None else (beat.get("step"), beat.get("epoch"), beat.get("phase"))


def saved_step(attempt: AttemptFolder) -> int:
    """Return the step of the attempt's newest checkpoint, -1 when it has none."""
    pointer = read_object(attempt.checkpoints / "pointer.json") or {}
    step = pointer.get("step")
    return step if isinstance(step, int) else -1


def made_progress(job: JobFolder, number: int) -> bool:
    """Return whether attempt `number` left a newer checkpoint than every attempt before it."""
    before = [saved_step(attempt) for attempt in job.attempts() if attempt.number < number]
    return saved_step(job.attempt(number)) > max(before, default=-1)


def last_words(attempt: AttemptFolder) -> str:
    """Return the last line of an attempt's log that says something, cut to a readable length."""
    return last_line(attempt.log)


def last_line(path: Path) -> str:
    """Return the last line of a log that says something, cut to a readable length; "" when there is none."""
    try:
        with open(path, "rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - LAST_BYTES))
            lines = handle.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    told = [line.strip() for line in lines if line.strip()]
    # Our errors end with a line `fix: ...`: what went wrong stands before it.
    if len(told) > 1 and told[-1].startswith("fix: "):
        return " · ".join(told[-2:])[:LAST_LETTERS]
    return told[-1][:LAST_LETTERS] if told else ""


def has_room(folder: Path) -> bool:
    """Return whether a job may write here: 64 MB are free, or a fiftieth of a small file system."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize >= min(LEAST_ROOM, disk.f_blocks * disk.f_frsize // 50)


def newest_number(job: JobFolder) -> int:
    """Return the highest attempt number that has a folder, 0 when there is none."""
    return max((attempt.number for attempt in job.attempts()), default=0)
