"""What changed, as server-sent events: takes a site, gives a stream of names of what is worth looking at again.

    queue    the state of a job or experiment, and how far a search is
    results  a new snapshot was published
    points   running jobs logged something; its data are their ids, a space between

A page listens and asks again for the parts that show it, so that what it shows is always the server's own rendering.
However many listen, one task looks: at the times and sizes of a few files, twice a second. Without listeners
there is none. A listener that is slow gets what it missed as one event of each name.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from engine.home.paths import Home
from engine.schedule.growing import open_searches
from engine.serve.deltas import Published
from store.queue import Queue, QueueFault, is_on_server

LOOK = 0.6  # seconds between looks: a point is on the screen within a second, and jobs keep their processor
ALIVE = 15.0  # seconds between signs of life, which keep a proxy from closing the stream
# Seconds from one event to the next of its name: a page asks for its parts with each of them.
REST = {"queue": 1.0, "results": 1.0, "points": 0.6}
MOST = 200  # running jobs whose journals are looked at
FileMark = tuple[int, int, int] | None


async def changes(watcher: Watcher) -> AsyncIterator[str]:
    """Yield the text of events until the reader goes away."""
    listener = watcher.join()
    try:
        yield "retry: 2000\n\n"
        while True:
            yield await listener.next_text()
    finally:
        watcher.leave(listener)


@dataclass(eq=False)
class Listener:
    """One reader of the stream, and what it has not been told yet: at most an event of each name."""

    waiting: dict[str, set[str]] = field(default_factory=dict)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, name: str, about: set[str]) -> None:
        self.waiting.setdefault(name, set()).update(about)
        self.bell.set()

    async def next_text(self) -> str:
        """Return the events since the last call, or a sign of life."""
        try:
            await asyncio.wait_for(self.bell.wait(), ALIVE)
        except TimeoutError:
            return ": alive\n\n"
        self.bell.clear()
        told, self.waiting = self.waiting, {}
        return "".join(f"event: {name}\ndata: {' '.join(sorted(about))}\n\n" for name, about in told.items())


class Watcher:
    """Looks at a home for all who listen: its task lives as long as there is one of them."""

    def __init__(self, site: Published) -> None:
        self._site = site
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self) -> Listener:
        listener = Listener()
        self._listeners.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        look, due = Look(self._site), dict.fromkeys(REST, 0.0)
        await asyncio.to_thread(look.changed)
        held: dict[str, set[str]] = {}
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK)
            # In a thread: a disk that is slow must not stop the pages.
            for name, about in (await asyncio.to_thread(look.changed)).items():
                held.setdefault(name, set()).update(about)
            for name in [name for name in held if clock() >= due[name]]:
                due[name] = clock() + REST[name]
                self._tell_all(name, held.pop(name))

    def _tell_all(self, name: str, about: set[str]) -> None:
        for listener in self._listeners:
            listener.tell(name, about)


class Look:
    """What a home's files looked like at the last look."""

    def __init__(self, site: Published) -> None:
        self._site = site
        self._seen: dict[str, object] = {}
        self._sizes: dict[str, FileMark] = {}

    def changed(self) -> dict[str, set[str]]:
        """Return the names of what changed since the last call, `points` with the jobs."""
        now = {name: mark(self._site) for name, mark in MARKS.items()}
        found = {name: {name} for name, mark in now.items() if self._seen.get(name) != mark}
        if "queue" in found:
            self._find_journals()
        self._seen = now
        sizes = {job: _newest_mark(self._site.home, job) for job in self._sizes}
        grown = {job for job, mark in sizes.items() if mark != self._sizes[job]}
        self._sizes = sizes
        return found | ({"points": grown} if grown else {})

    def _find_journals(self) -> None:
        """Note whose journals to look at; one that is new there counts as grown once."""
        jobs = running_jobs(self._site.home)[:MOST]
        self._sizes = {job: self._sizes.get(job) for job in jobs}


def running_jobs(home: Home) -> list[str]:
    """Return the jobs that the queue of a home says are running."""
    if not home.queue_db.exists():
        return []
    try:
        with Queue.open_readonly(home.queue_db) as queue:
            return sorted(row.job for row in queue.running())
    except QueueFault:  # damaged, or made anew this moment: the pages tell
        return []


def _newest_mark(home: Home, job: str) -> FileMark:
    attempts = home.job(job).attempts()
    return _file_mark(str(attempts[-1].journal)) if attempts else None


def _queue_mark(home: Home) -> tuple[FileMark, ...]:
    """The queue is two files: a change lies in the second until it is folded into the first.

    One on a server counts its changes.
    """
    if is_on_server():
        with suppress(QueueFault), Queue.open_readonly(home.queue_db) as queue:
            return ((0, 0, queue.data_version()),)
    log = _file_mark(f"{home.queue_db}-wal")
    # Whoever only reads makes an empty one.
    return _file_mark(str(home.queue_db)), log if log and log[2] else None


def _file_mark(path: str) -> FileMark:
    try:
        seen = os.stat(path)
    except FileNotFoundError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _search_marks(home: Home) -> list[FileMark]:
    """Searches that are open, as their last looks wrote them down."""
    return [_file_mark(str(home.search_mark(name, ".json"))) for name in open_searches(home)]


MARKS: dict[str, Callable[[Published], object]] = {
    "queue": lambda site: (_queue_mark(site.home), _search_marks(site.home)),
    "results": lambda site: site.results_mark(),
}
