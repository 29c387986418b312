"""What changed, as server-sent events: takes a site, gives a stream of names of what is worth looking at again.

    queue    the state of a job or experiment
    results  a new snapshot was published

A page listens and asks again for the parts that show it, so that what it shows is always the server's own rendering.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable

from engine.home.paths import Home
from engine.serve.site import Site

LOOK = 0.5  # seconds between looks
ALIVE = 15.0  # seconds between signs of life, which keep a proxy from closing the stream


async def changes(site: Site) -> AsyncIterator[str]:
    """Yield the text of events until the reader goes away."""
    seen = {name: mark(site) for name, mark in MARKS.items()}
    yield "retry: 2000\n\n"
    quiet = 0.0
    while True:
        await asyncio.sleep(LOOK)
        quiet += LOOK
        now = {name: mark(site) for name, mark in MARKS.items()}
        for name in now:
            if now[name] != seen[name]:
                quiet = 0.0
                yield f"event: {name}\ndata: {name}\n\n"
        seen = now
        if quiet >= ALIVE:
            quiet = 0.0
            yield ": alive\n\n"


def _queue_mark(home: Home) -> tuple[tuple[int, int, int] | None, ...]:
    """The queue is two files: a change lies in the second until it is folded into the first."""
    return tuple(_file_mark(f"{home.queue_db}{end}") for end in ("", "-wal"))


def _file_mark(path: str) -> tuple[int, int, int] | None:
    try:
        seen = os.stat(path)
    except FileNotFoundError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


MARKS: dict[str, Callable[[Site], object]] = {
    "queue": lambda site: _queue_mark(site.home),
    "results": lambda site: site.results_mark(),
}
