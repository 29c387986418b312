"""Bounds on one query: takes work, gives what comes of it, or ends the wait; holds the memory of the process meanwhile.

DuckDB's own limit covers its tables and sorts, and not a single value: `repeat('x', 3e9)` would take 11 GB and a
minute. And it looks for an interrupt between blocks of rows only: one value, as of `lpad('x', 2e9, 'y')`, is made to
its end. So a query runs in a thread of its own, and whoever asked waits no longer than was said.
"""

from __future__ import annotations

import atexit
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

# Bytes. More than DuckDB's own limit (reading.MEMORY_LIMIT), which an ordinary query meets first.
EXTRA = 3 << 30
USED = Path("/proc/self/statm")
FREE = resource.getrlimit(resource.RLIMIT_DATA)  # what holds outside, to which the last of several threads returns
GRACE = 0.04  # of the time that a query has, for it to end when it is interrupted
LEAST_GRACE = 0.2  # seconds
Answer = TypeVar("Answer")


class QueryTooLong(Exception):
    """The time is over; what was asked may go on for a while, and nobody waits for it."""


class StillEnding(Exception):
    """A query whose time was over is at work yet: two of them at once would be no bound."""


def run_bounded(work: Callable[[], Answer], stop: Callable[[], None], seconds: float) -> Answer:
    """Return what `work` gives. `stop` is to interrupt it; raises QueryTooLong at most 4 % (or 0.2 s) over the time.

    An earlier one that was left, which keeps its bound on memory and one core, is waited for within the time; raises
    StillEnding when it goes on for longer.
    """
    seconds = _await_left(seconds)
    done: Future[Answer] = Future()
    thread = threading.Thread(target=_settle, args=(done, work), name="xp query", daemon=True)
    thread.start()
    try:
        return done.result(seconds)
    except TimeoutError:
        return _end_late(done, thread, stop, max(LEAST_GRACE, GRACE * seconds))
    except KeyboardInterrupt:
        stop()
        _leave(thread, LEAST_GRACE)
        raise
    finally:
        if done.done():  # nothing is left to do: no thread outlives its answer
            thread.join()


def _await_left(seconds: float) -> float:
    """Return what is left of the seconds when no earlier query is at work."""
    end = time.monotonic() + seconds
    for thread in list(_LEFT):
        thread.join(max(0.0, end - time.monotonic()))
    _LEFT[:] = [thread for thread in _LEFT if thread.is_alive()]
    if _LEFT:
        raise StillEnding
    return max(0.0, end - time.monotonic())


def _settle(done: Future[Answer], work: Callable[[], Answer]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)


def _end_late(done: Future[Answer], thread: threading.Thread, stop: Callable[[], None], grace: float) -> Answer:
    if not done.done():
        stop()
    try:
        return done.result(grace)
    except TimeoutError as error:
        _leave(thread, 0.0)
        raise QueryTooLong from error


def _leave(thread: threading.Thread, grace: float) -> None:
    thread.join(grace)
    if thread.is_alive():
        _LEFT.append(thread)
        atexit.register(_end_quietly)


def _end_quietly() -> None:
    """DuckDB lists what it could not free where a process ends with a query at work; that is nobody's fault."""
    if any(thread.is_alive() for thread in _LEFT):
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@contextmanager
def bound_memory(extra: int = EXTRA) -> Iterator[None]:
    """Let the process take at most `extra` bytes more inside: what asks for more fails. Linux alone can."""
    if not USED.exists():
        yield
        return
    # Pages of data and stack, which are what RLIMIT_DATA counts.
    pages = int(USED.read_text().split()[5])
    wanted = pages * resource.getpagesize() + extra
    soft = wanted if FREE[0] == resource.RLIM_INFINITY else min(wanted, FREE[0])
    resource.setrlimit(resource.RLIMIT_DATA, (soft, FREE[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, FREE)


_LEFT: list[threading.Thread] = []  # queries whose time was over, at work yet
