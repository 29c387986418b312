"""A finished journal as Parquet: takes an attempt's journal.jsonl, gives a file a tenth as large with the same rows.

The new file is read back and compared with the journal before it gets its name. From then on it is the truth, and the
journal, if it is still there, a leftover: a kill at any moment leaves one of the two whole. A journal with a line that
cannot be read, or of a kind or version that this release does not know, stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from store.file_names import quote
from store.journal import JOURNAL_VERSION, read_bytes
from store.results.staging import Compacted, Lines, compacted_lines, stage_lines, typed_lines

CHUNK = 64 << 20
KINDS = ("metric", "measurement", "predictions", "teacher", "from", "fact")
# Sums of hashes do not depend on the order, and need no memory for however many rows.
CHECK = "select count(*), sum(hash(row_of)::hugeint) from ({rows}) as row_of"


class Compactor:
    """Makes Parquet files out of journals; `stage` is a path for its temporary text. To be closed."""

    def __init__(self, stage: Path) -> None:
        self._stage = stage
        self._db = duckdb.connect(":memory:", config={"memory_limit": "1GB", "temp_directory": f"{stage}.spill"})

    def compact(
        self, job: str, attempt: int, journal: Path, target: Path, vouch: Callable[[Path], object] = lambda _: None
    ) -> Compacted | None:
        """Put `target` in the place of `journal`; None, and nothing changed, where the journal must stay as it is.

        `vouch` is called with the new file when it is on the disk and has not got its name yet.
        """
        longest = stage_lines(_whole_lines(job, attempt, journal), self._stage)
        rows = typed_lines(self._stage, longest)
        if not self._is_known(rows):
            return None
        beside = target.with_name(f".{target.name}.tmp")
        self._db.execute(f"copy ({rows}) to '{quote(beside)}' (format parquet, compression zstd)")
        if self._check(rows) != self._check(compacted_lines([beside])):
            beside.unlink()
            return None
        # Content, name, and only then the journal goes: at each moment one of the two is whole.
        _sync(beside)
        vouch(beside)
        os.replace(beside, target)
        _sync(target.parent)
        journal.unlink()
        return Compacted(job, attempt, target, target.stat().st_size)

    def _is_known(self, rows: str) -> bool:
        """Whether every line was read, and is of a kind whose every field has a column."""
        known = f"v = {JOURNAL_VERSION} and type in {KINDS}"
        found = self._db.execute(f"select count(*), count(*) filter ({known}) from ({rows})").fetchone()
        # DuckDB leaves a line out that it cannot read, so the lines are counted here.
        with open(self._stage, "rb") as staged:
            lines = sum(1 for _ in staged)
        return found == (lines, lines) and lines > 0

    def _check(self, rows: str) -> tuple[int, int] | None:
        return self._db.execute(CHECK.format(rows=rows)).fetchone()

    def close(self) -> None:
        self._db.close()
        self._stage.unlink(missing_ok=True)


def is_readable(path: Path) -> bool:
    """Whether every row of a compacted journal can be read; reads them all."""
    with duckdb.connect(":memory:") as db:
        try:
            db.execute(CHECK.format(rows=compacted_lines([path])))
        except duckdb.Error:
            return False
    return True


def _whole_lines(job: str, attempt: int, journal: Path) -> Iterator[Lines]:
    offset = 0
    while data := read_bytes(journal, offset, CHUNK):
        yield Lines(job, attempt, offset, data)
        offset += len(data)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
