"""Jobs that are to end and cannot be ended by who schedules: takes a home, gives a line for each, with whoever can.

A home may be shared. Of a job that one user's scheduler began another user's may be left in charge: it sees the process
and sees its end, and the kernel lets it send no signal.
"""

from __future__ import annotations

import pwd
from collections.abc import Iterator

from engine.home.control_files import HandleFile, read_handle
from engine.home.files import read_small
from engine.home.paths import Home
from engine.launch.process import boot_id, host_name, owner_of
from store.queue import Queue

ROOT = 0


def tell_foreign(home: Home) -> Iterator[str]:
    """Yield a line for each job here that was asked to end and is not the scheduler's to end."""
    scheduler = _scheduler_owner(home)
    if scheduler in (None, ROOT):
        return
    with Queue.open_readonly(home.queue_db) as queue:
        asked = [row for row in queue.running() if row.request]
    for row in asked:
        handle = read_handle(home.job(row.job).attempt(row.attempt))
        owner = _owner(handle) if handle else None
        if handle and owner not in (None, scheduler):
            whose, by = user_name(owner), user_name(scheduler)
            yield (
                f"{row.job} was asked to {row.request} and goes on: its process is {whose}'s, and the scheduler that"
                f" works here is {by}'s, who may not end it; {whose} or root can: kill {handle.pid}"
            )


def _scheduler_owner(home: Home) -> int | None:
    try:
        return _owner(HandleFile.model_validate(read_small(home.scheduler_file) or {}))
    except ValueError:
        return None


def _owner(handle: HandleFile) -> int | None:
    is_here = (handle.host, handle.boot_id) == (host_name(), boot_id())
    return owner_of(handle.pid, handle.start_time) if is_here else None


def user_name(uid: int | None) -> str:
    """Return the name of a user of this machine, or a number with which a person can ask."""
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:  # a user without an entry, as in a container
        return f"user {uid}"
