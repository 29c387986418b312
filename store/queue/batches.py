"""Long orders in parts: takes names of any number, gives them in batches between which other writers have their turn.

SQLite lets one write at a time and is not fair: who waits looks again after at most a tenth of a second. So a batch is
made as long as a transaction of TARGET seconds takes on this machine, and after it comes a gap in which whoever waits
looks at least once. An order that was cut off between two batches is simply given again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

FIRST, LEAST, MOST = 2000, 1000, 20_000  # names in a batch
TARGET = 0.25  # seconds that a transaction should take
# The longest sleep of SQLite's busy handler is 0.1 s.
GAP = 0.11


def in_batches(
    names: Sequence[str],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[list[str]]:
    """Yield the names in order, in batches; what the caller does with one is timed and decides about the next."""
    start, size = 0, FIRST
    while start < len(names):
        begun = clock()
        yield list(names[start : start + size])
        start += size
        size = next_size(size, clock() - begun)
        if start < len(names):
            sleep(GAP)


def next_size(size: int, seconds: float) -> int:
    """Return how many names would have taken TARGET, at most four times and at least half as many as before.

    A slow disk or a wait for the lock takes its seconds for few names too: fewer would only be more gaps.
    """
    fitting = size * TARGET / seconds if seconds > 0 else MOST
    return int(max(LEAST, size / 2, min(MOST, 4 * size, fitting)))
