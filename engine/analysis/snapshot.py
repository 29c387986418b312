"""One published state of the results, held open: takes a home, gives the rows of store/queries/*.sql.

Whoever asks more than one query asks them of one snapshot: between two openings a run may be published, and the parts
of an answer would not belong together. So what a person calls takes a home or a snapshot (`one_snapshot`), opens the
first at its door, and hands the second down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import QueryError, closest_hint
from engine.home.paths import Home
from store.readonly import StoreError
from store.results import Connection, CorruptStore, find_corruption, open_snapshot

QUERIES = Path(__file__).parents[2] / "store" / "queries"
Row = Mapping[str, Any]
T = TypeVar("T")
AT_ONCE = 256
"""Jobs whose test images are asked for together: the store has all their names in memory meanwhile."""


@dataclass(frozen=True)
class Judged:
    """Whether a job's network told each test image right, bool (images,); equal `images` are the same ones, labelled
    alike, in one order."""

    images: str
    right: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A home and the read-only connection to its results as they were when it was opened."""

    home: Home
    db: Connection
    known: dict[tuple[Any, ...], list[dict[str, Any]]] = field(default_factory=dict)
    judged: dict[str, Judged] = field(default_factory=dict)
    """What `ask_images` has read."""
    kept: dict[tuple[str, ...], Any] = field(default_factory=dict)
    """What `keep` was given."""

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

    def ask_each(self, query: str, by: str, names: Sequence[str], **values: Any) -> None:
        """Ask once for all values of the column `by`; the rows of each of `names` are known from then on.

        `by` is a value of the query too, for which none means all. An answer takes as long for all as for one.
        """
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for row in self.ask(query, **values, **{by: None}):
            found.setdefault(row[by], []).append(row)
        for name, rows in found.items():
            self.known[(query, *sorted({**values, by: name}.items()))] = rows

    def ask_images(self, jobs: Iterable[str]) -> dict[str, Judged]:
        """Return what these jobs' networks made of their test images, read once and kept small; without those that have
        none."""
        wanted = sorted(set(jobs))
        missing = [job for job in wanted if job not in self.judged]
        for first in range(0, len(missing), AT_ONCE):
            for row in self.ask("compare_images", jobs=missing[first : first + AT_ONCE]):
                right = np.frombuffer(row["correct"].encode(), dtype=np.uint8) == ord("1")
                self.judged[row["job"]] = Judged(row["images"], right)
        return {job: self.judged[job] for job in wanted if job in self.judged}

    def keep(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """Return what was made under this key before, else what `make` gives: of what is worked out from the rows."""
        if key not in self.kept:
            self.kept[key] = make()
        made: T = self.kept[key]
        return made

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
