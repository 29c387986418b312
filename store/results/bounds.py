"""A bound on memory: takes how much more this process may take, and holds it to that for a while.

DuckDB's own limit covers its tables and sorts, and not a single value: `repeat('x', 3e9)` would take 11 GB
and a minute.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Bytes. More than DuckDB's own limit (reading.MEMORY_LIMIT), which an ordinary query meets first.
EXTRA = 3 << 30
USED = Path("/proc/self/statm")
FREE = resource.getrlimit(resource.RLIMIT_DATA)  # what holds outside, to which the last of several threads returns


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
