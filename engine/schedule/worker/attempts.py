"""What attempts write into their folders, read without trust: a file may be missing, torn or older than it looks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from engine.home.control_files import read_beat
from engine.home.files import read_small
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.launch.exits import Exit
from engine.launch.faults import Fault, read_fault
from engine.launch.shortages import FULL_DISK, SHARED_MEMORY, home_trouble, read_shortage, room_trouble
from engine.schedule.policy import CRASH_SIGNALS

# Bytes at the end of a log that are read: enough for its last lines, however long the log is.
LAST_BYTES = 4096
FATAL, FATAL_BYTES = "Fatal Python error: ", 32 << 10
STANDSTILL = "cannot go on for now"  # what the scheduler's log says while it waits for its machine
# Letters of a reason: it is one column of `xp status`.
LAST_LETTERS = 300


def read_progress(attempt: AttemptFolder) -> object:
    """Return what changes while the attempt makes progress, or None when it has no heartbeat yet."""
    beat = read_beat(attempt)
    return None if beat is None else (beat.step, beat.epoch, beat.phase)


def saved_step(attempt: AttemptFolder) -> int:
    """Return the step of the attempt's newest checkpoint, -1 when it has none."""
    # The pointer is written last, when its checkpoint is on the disk: a checkpoint without one does not count.
    pointer = read_small(attempt.checkpoints / "pointer.json") or {}
    step = pointer.get("step")
    return step if isinstance(step, int) and not isinstance(step, bool) else -1


def made_progress(job: JobFolder, number: int) -> bool:
    """Return whether attempt `number` left a newer checkpoint than every attempt before it."""
    before = [saved_step(attempt) for attempt in job.attempts() if attempt.number < number]
    return saved_step(job.attempt(number)) > max(before, default=-1)


def last_words(attempt: AttemptFolder) -> str:
    """Return the last line of an attempt's log that says something, cut to a readable length."""
    return last_line(attempt.log)


def last_line(path: Path) -> str:
    """Return the last line of a log that says something, cut to a readable length; "" when there is none."""
    told = [line.strip() for line in _read_tail(path).splitlines() if line.strip()]
    # Our errors end with a line `fix: ...`: what went wrong stands before it.
    if len(told) > 1 and told[-1].startswith("fix: "):
        return " · ".join(told[-2:])[:LAST_LETTERS]
    return told[-1][:LAST_LETTERS] if told else ""


def _read_tail(path: Path) -> str:
    """Return the end of a log; "" when there is none."""
    try:
        with open(path, "rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - LAST_BYTES - FATAL_BYTES))
            told = handle.read().decode(errors="replace")
    except OSError:
        return ""
    # What Python adds where a signal kills it, the stack and a long line of modules, tells nobody why.
    before, is_fatal, _ = told.rpartition(FATAL)
    return (before if is_fatal else told)[-LAST_BYTES:]


def find_gpu_fault(attempt: AttemptFolder, exit_status: int | None) -> Fault | None:
    """Return what its GPU failed by, by the end of the log of an attempt that crashed; None where it says no such."""
    # Killed by itself counts: CUDA's libraries abort when they are torn down after an error.
    has_crashed = exit_status == Exit.CRASHED or (exit_status is not None and -exit_status in CRASH_SIGNALS)
    return read_fault(_read_tail(attempt.log)) if has_crashed else None


def find_lack(home: Home, attempt: AttemptFolder, exit_status: int | None) -> str:
    """Return what the machine had run out of when the attempt ended, "" where it was something else."""
    if exit_status == -signal.SIGBUS and room_trouble(SHARED_MEMORY):
        return f"shared memory ({SHARED_MEMORY}) is full"
    now = home_trouble(home)
    told = read_shortage(last_words(attempt))
    # Nobody could write down why, or what is told is one word for two things.
    if now and (not told or told == FULL_DISK):
        return now
    return told or ("the machine ran out of something" if exit_status == Exit.LACKING else "")


def newest_number(job: JobFolder) -> int:
    """Return the highest attempt number that has a folder, 0 when there is none."""
    return max((attempt.number for attempt in job.attempts()), default=0)
