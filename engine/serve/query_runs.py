"""Queries of a person while the server answers others: takes SQL and a ticket, gives rows, and ends one by its ticket.

Only a few run at once, a few more wait for a moment, and all others are told so: a thread that waits is one that the
pages lack.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from engine.analysis.query import fetch_parquet, fetch_rows
from engine.errors import QueryError
from engine.home.paths import Home
from store.results import Begun, QueryResult

AT_ONCE = 2
MOST_WAITING = 4
PATIENCE = 10.0  # seconds that one waits for another to end
SECONDS = 30.0  # that one may take
SHOWN_ROWS, SAVED_ROWS = 1_000, 100_000
BUSY = "wait until one of them has ended, or cancel yours"


@dataclass
class QueryRuns:
    """What runs now, by ticket: a word that whoever asks makes up, so that it can be cancelled."""

    seconds: float = SECONDS
    _free: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))
    _places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE + MOST_WAITING))
    _stops: dict[str, Callable[[], None]] = field(default_factory=dict)
    _cancelled: set[str] = field(default_factory=set)

    def ask(self, home: Home, sql: str, ticket: str = "", most: int = SHOWN_ROWS) -> QueryResult:
        """Return at most `most` rows. Raises QueryError."""
        with self._place(home, ticket):
            return fetch_rows(home, sql, most=most, seconds=self.seconds, begun=self._begun(ticket))

    def save(self, home: Home, sql: str) -> bytes:
        """Return at most SAVED_ROWS rows as Parquet. Raises QueryError."""
        with self._place(home, ""):
            return fetch_parquet(home, sql, most=SAVED_ROWS, seconds=self.seconds)

    def cancel(self, ticket: str) -> bool:
        """End the query with this ticket; return whether there is one."""
        stop = self._stops.get(ticket)
        if stop is None:
            return False
        self._cancelled.add(ticket)
        stop()
        return True

    def _begun(self, ticket: str) -> Begun | None:
        return partial(self._stops.__setitem__, ticket) if ticket else None

    @contextmanager
    def _place(self, home: Home, ticket: str) -> Iterator[None]:
        # Nothing is taken in here: a page only reads.
        if not home.results_db.exists():
            raise QueryError("there are no results yet", fix="xp submit SPEC, and ask again when its first job is done")
        if not self._places.acquire(blocking=False):
            raise QueryError(f"{AT_ONCE} queries run here and {MOST_WAITING} wait", fix=BUSY)
        try:
            if not self._free.acquire(timeout=PATIENCE):
                raise QueryError(f"{AT_ONCE} queries run here, and neither ended in {PATIENCE:.0f} s", fix=BUSY)
            try:
                yield
            except QueryError as error:
                if ticket in self._cancelled:
                    raise QueryError("cancelled") from error
                raise
            finally:
                self._free.release()
                self._stops.pop(ticket, None)
                self._cancelled.discard(ticket)
        finally:
            self._places.release()


RUNS = QueryRuns()
