"""A home as the pages read it: takes the home, gives the newest snapshot, held open and shared between requests.

Opening a snapshot costs more than most pages do, and two pages of one moment should be of one state. So the site
keeps one connection for each published file; every request gets a cursor of its own, as DuckDB wants for threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from engine.analysis.snapshot import Snapshot
from engine.home.paths import Home
from engine.serve.apart import Apart
from engine.serve.deltas import Deltas, Mark
from engine.serve.kept import Kept
from engine.serve.streams import Watcher
from store.results import Connection, open_snapshot


def mark_of(home: Home) -> Mark | None:
    """Return what tells the published file from those before it, None where there is none."""
    try:
        seen = os.stat(home.results_db)
    except FileNotFoundError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


@dataclass
class _Held:
    """A published file that is open, and what was asked of it."""

    mark: Mark
    db: Connection
    first: Snapshot


@dataclass
class Site:
    """One home, its open results, and the token that orders need (empty: none is asked for, as in tests).

    `deltas` are the points that browsers watch, `watcher` looks for what changed: one of each for all requests.
    """

    home: Home
    token: str = ""
    kept: Kept = field(default_factory=Kept, repr=False)
    apart: Apart = field(default_factory=Apart, repr=False)
    _held: _Held | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.deltas, self.watcher = Deltas(self), Watcher(self)

    def results_mark(self) -> Mark | None:
        """What tells one publication from the next: None before the first."""
        return mark_of(self.home)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot | None]:
        """Give the newest results, or None where nothing was published yet. Raises StoreError for a damaged file."""
        held = self._newest()
        if held is None:
            yield None
            return
        cursor = held.db.cursor()
        try:
            cursor.execute("use results")
            # What is known is known of the file, whichever cursor asked.
            yield Snapshot(self.home, cursor, held.first.known, held.first.judged, held.first.kept)
        finally:
            cursor.close()

    def _newest(self) -> _Held | None:
        with self._lock:
            mark = self.results_mark()
            if mark is None:
                self._held = None
            elif self._held is None or self._held.mark != mark:
                # The old connection lives as long as a request holds a cursor of it.
                db = open_snapshot(self.home, seconds=None)
                self._held = _Held(mark, db, Snapshot(self.home, db))
            return self._held
