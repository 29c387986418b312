"""Processes of this machine as /proc tells them: takes a pid and its start time, says whether it is still that one.

A pid alone proves nothing after a restart: it counts together with the start time (ticks since boot, field 22 of
/proc/<pid>/stat), the boot id and the host.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine.home.control_files import HandleFile
from engine.home.files import write_atomic

PROC = Path("/proc")


@dataclass(frozen=True)
class Seen:
    """A process now: `state` is the letter of /proc (Z, X: dead and not yet reaped)."""

    pid: int
    state: str
    session: int
    start: int
    parent: int = 0

    @property
    def is_alive(self) -> bool:
        return self.state not in "ZXx"


@cache
def boot_id() -> str:
    """Return this boot's id, or "" where the kernel does not tell."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@cache
def host_name() -> str:
    return socket.gethostname()


def see_process(pid: int) -> Seen | None:
    """Return what /proc says of a pid, or None when there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name stands in brackets and may hold anything, brackets and blanks too.
    # Behind the name, so that field 3 of the file is field 0 here.
    fields = text[text.rindex(")") + 2 :].split()
    return Seen(pid, fields[0], int(fields[3]), int(fields[19]), int(fields[1]))


def is_alive(pid: int, start: int) -> bool:
    """Return whether the process that had this pid at this start time still runs."""
    seen = see_process(pid)
    return seen is not None and seen.start == start and seen.is_alive


def owner_of(pid: int, start: int) -> int | None:
    """Return whose process this is, as a uid; None when it is gone."""
    if not is_alive(pid, start):
        return None
    try:
        lines = (PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    # Real, effective, saved, file system: whose signals it takes is decided by the first.
    return next((int(line.split()[1]) for line in lines if line.startswith("Uid:")), None)


def seconds_since_start(told: HandleFile | None) -> float | None:
    """Return for how many seconds the process of a handle has been there, or None where this machine cannot tell.

    By the kernel's clock since the boot, which nobody sets: a wall clock that jumps makes hours of a minute.
    """
    if told is None or (told.host, told.boot_id) != (host_name(), boot_id()) or not told.start_time:
        return None
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - told.start_time / os.sysconf("SC_CLK_TCK"))


def thread_count() -> int:
    """Return how many threads this process has."""
    return len(os.listdir(PROC / "self/task"))


def session_members(session: int) -> list[Seen]:
    """Return the live processes of a session."""
    return [process for process in _live_processes() if process.session == session]


def children_of(parent: int) -> list[Seen]:
    """Return the live processes that a process has started, or was given when theirs ended."""
    return [process for process in _live_processes() if process.parent == parent]


def _live_processes() -> list[Seen]:
    pids = [int(name) for name in os.listdir(PROC) if name.isdigit()]
    seen = [process for process in map(see_process, pids) if process is not None]
    return [process for process in seen if process.is_alive]


def kill_session(leader: int, start: int, log: Path | None = None) -> None:
    """Kill everything in the session that this leader began, unless its pid belongs to somebody else by now.

    Members whose leader is gone prove nothing: once all of a session have ended its number is given away, and a
    stranger's leader may have ended since. Of those only the ones that write into `log` are killed.
    """
    now = see_process(leader)
    if leader <= 1 or (now is not None and now.start != start):
        return
    # Its grace is over by now, or its leader is dead.
    for member in session_members(leader):
        if now is not None or (log is not None and writes_into(member.pid, log)):
            with suppress(OSError):
                os.kill(member.pid, signal.SIGKILL)


def writes_into(pid: int, path: Path) -> bool:
    """Return whether the standard output or error of a process is this very file."""
    for number in ("1", "2"):
        with suppress(OSError):
            if os.path.samefile(PROC / str(pid) / "fd" / number, path):
                return True
    return False


def signal_process(pid: int, start: int, number: int) -> bool:
    """Send a signal to exactly this process; False when it is gone."""
    if not is_alive(pid, start):
        return False
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def write_handle(path: Path, words: dict[str, Any]) -> None:
    """Write a handle whole or not at all. Not synced: after a power cut no process is left to be found."""
    write_atomic(path, json.dumps(words) + "\n", sync=False)
