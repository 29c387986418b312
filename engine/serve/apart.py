"""What takes seconds of Python, in a process of its own: takes a function and its arguments, gives what it made.

A thread that computes for seconds keeps every other page waiting, since Python runs one thread at a time. The process
is begun when something first needs it and kept for the next. It steps back behind other work, and ends with the server,
however that ends. What goes in and comes out is pickled.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
LARGE = 100  # runs of an experiment from which its page and its reports are made apart: below, that is quick
NICE = 10


@dataclass
class Apart:
    """One process for all requests; whoever comes while it works waits for it."""

    _pool: ProcessPoolExecutor | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, make: Callable[..., T], *words: Any) -> T:
        """Return what `make(*words)` gives there. Raises what it raises; one that was killed is begun anew once."""
        try:
            return self._begun().submit(make, *words).result()
        except BrokenProcessPool:
            self.close()
            return self._begun().submit(make, *words).result()

    def close(self) -> None:
        """End the process; the next who needs one has it begun anew."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _begun(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                # Not forked: a server has threads, and a fork would keep what they hold locked for ever.
                spawning = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, mp_context=spawning, initializer=_settle)
            return self._pool


def _settle() -> None:
    """Step back behind the jobs, and end with the server."""
    os.nice(NICE)
    threading.Thread(target=_end_with_server, daemon=True).start()


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
    os._exit(0)
