"""One published state of the results, held open: takes a home, gives the rows of store/queries/*.sql.

Whoever asks more than one query asks them of one snapshot: between two openings a run may be published, and the parts
of an answer would not belong together. So what a person calls takes a home or a snapshot (`one_snapshot`), opens the
first at its door, and hands the second down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import QueryError, closest_hint
from engine.home.paths import Home
from store.readonly import StoreError
from store.results import Connection, CorruptStore, find_corruption, open_snapshot

QUERIES = Path(__file__).parents[2] / "store" / "queries"
Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A home and the read-only connection to its results as they were when it was opened."""

    home: Home
    db: Connection
    known: dict[tuple[Any, ...], list[dict[str, Any]]] = field(default_factory=dict)

    def ask(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return the rows of store/queries/<query>.sql; of what was asked before, those that were given then.

        Not of questions about a list of jobs: their answers are large and seldom asked for twice. Raises QueryError
        where a block of the file is damaged.
        """
        if any(isinstance(value, list) for value in values.values()):
            return self._ask(query, values)
        key = (query, *sorted(values.items()))
        if key not in self.known:
            self.known[key] = self._ask(query, values)
        return list(self.known[key])

    def _ask(self, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            with find_corruption():
                cursor = self.db.execute((QUERIES / f"{query}.sql").read_text(), values)
                rows = cursor.fetchall()
        except CorruptStore as error:
            raise QueryError(str(error), where=str(self.home.results_db), fix=error.fix) from error
        columns = [part[0] for part in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def check_experiment(self, name: str) -> None:
        """Raise QueryError for an experiment that is not in the results, with the nearest that is."""
        known = [row["experiment"] for row in self.ask("claims_experiments")]
        if name not in known:
            fix = closest_hint(name, known) if known else "submit it first: xp submit SPEC"
            what = f"there is no experiment {name!r} in the results"
            raise QueryError(what, where=str(self.home.results_db), fix=fix)


@contextmanager
def one_snapshot(results: Home | Snapshot) -> Iterator[Snapshot]:
    """Give the snapshot that is handed down, or open the newest of a home. Raises QueryError where there is none."""
    if isinstance(results, Snapshot):
        yield results
        return
    try:
        db = open_snapshot(results, seconds=None)  # our own queries, which are as long as the results
    except StoreError as error:
        raise QueryError(str(error), fix=error.fix) from error
    with db:
        yield Snapshot(results, db)
