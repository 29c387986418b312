"""The connection that is handed out: takes DuckDB's own, gives its methods, each bounded in time and memory.

What it answers with is DuckDB's, and a relation, which computes when it is read, is bounded as the connection is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from store.readonly import StoreError
from store.results.bounds import QueryTooLong, StillEnding, bound_memory, run_bounded

# Above the limit on tables and sorts of such a connection (reading.OPEN_CONFIG), which an ordinary query meets first.
EXTRA = 6 << 30


class Handle:
    """A connection or a relation of one; `seconds` for each call. It passes for what it holds (`isinstance`)."""

    def __init__(self, held: Any, db: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self._held, self._db, self._seconds = held, db, seconds
        self._is_left = False  # its last query goes on, although its time was over

    def __getattr__(self, name: str) -> Any:
        # A private or special name that a protocol asks for computes nothing; some properties of a relation do.
        if not callable(getattr(type(self._held), name, None)):
            return self._run(lambda: getattr(self._held, name))
        return self._bound(name)

    def _bound(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **words: Any) -> Any:
            plain = [_unwrap(value) for value in arguments]
            named = {word: _unwrap(value) for word, value in words.items()}
            return self._run(lambda: getattr(self._held, name)(*plain, **named))

        call.__name__, call.__doc__ = name, getattr(type(self._held), name).__doc__
        return call

    def _run(self, work: Callable[[], Any]) -> Any:
        """Return what `work` gives; raises StoreError when it takes longer than it may."""

        def bounded() -> Any:
            with bound_memory(EXTRA):
                return work()

        try:
            return self._wrap(run_bounded(bounded, self._db.interrupt, self._seconds))
        except QueryTooLong as error:
            self._is_left = True
            raise _too_long(self._seconds) from error
        except duckdb.InterruptException as error:
            raise _too_long(self._seconds) from error
        except StillEnding as error:
            raise StoreError("a query whose time was over has not ended yet", "ask again in a minute") from error

    def _wrap(self, value: Any) -> Any:
        if value is self._held:
            return self
        if isinstance(value, duckdb.DuckDBPyRelation):
            return Handle(value, self._db, self._seconds)
        if not isinstance(value, duckdb.DuckDBPyConnection):
            return value
        # A cursor is a connection of its own: to be interrupted by itself, and it starts outside of the results.
        return Handle(value.execute("use results"), value, self._seconds)

    def close(self) -> None:
        """Close it; one whose query goes on is freed when that ends, for which nobody waits."""
        if not self._is_left:
            self._held.close()

    def interrupt(self) -> None:
        """Stop what another thread asks of it."""
        self._db.interrupt()

    @property
    def __class__(self) -> Any:
        return type(self._held)

    @__class__.setter
    def __class__(self, _: Any) -> None:
        raise TypeError("a connection stays what it is")

    def __dir__(self) -> list[str]:
        return dir(self._held)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return str(self._run(lambda: repr(self._held)))

    def __str__(self) -> str:
        return str(self._run(lambda: str(self._held)))

    def __len__(self) -> int:
        return int(self._run(lambda: len(self._held)))

    def __getitem__(self, name: str) -> Any:
        return self._run(lambda: self._held[name])

    def __contains__(self, name: str) -> bool:
        return bool(self._run(lambda: name in self._held))

    def __bool__(self) -> bool:
        return True


def _unwrap(value: Any) -> Any:
    return value._held if type(value) is Handle else value


def _too_long(seconds: float) -> StoreError:
    return StoreError(
        f"the query took more than {seconds:g} seconds and was stopped", "open_snapshot(home, seconds=...) gives more"
    )
