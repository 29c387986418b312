"""The ingester's side of the results: takes rows and journal lines, gives a private database and published snapshots.

One `Ingest` at a time (its caller holds the lock) owns a private database file; `publish` copies it and replaces the
snapshot, so that readers never wait and are never torn.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from store.file_names import quote
from store.readonly import StoreError
from store.results.reading import REBUILD, CorruptStore, find_unreadable
from store.results.schema import ROOM, SCHEMA_VERSION, check_columns, schema_sql
from store.results.staging import Compacted, Lines, compacted_lines, stage_lines, stage_rows, typed_lines

StoreFault = duckdb.Error  # a full disk, a damaged file; a query that is wrong never gets here
RAW_TABLES = ("metrics", "measurements", "predictions", "teachers", "facts", "resumes")
OF_A_JOB = ("damaged", "jobs", "attempts", "provenance", "metrics_last", "raw.winners", "raw.chains", "raw.evaluations")


@dataclass(frozen=True)
class Watermark:
    """How far a journal was read: bytes of whole lines, and how many of them no reader could parse.

    A compacted journal was read whole; then `bytes` is the size of its file.
    """

    bytes: int
    damaged: int
    is_compacted: bool = False


class Ingest:
    """The private database, open for writing. Use as a context manager; at most one per file, by its caller's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stage = path.with_name(path.name + ".stage")
        is_new = not path.exists()
        # In memory, with the file attached: to let go of it and look at a copy, as publishing does, costs no new one.
        self._db = duckdb.connect(":memory:", config={"temp_directory": f"{path}.tmp"})
        try:
            # Times are kept in UTC without a zone: the machine's own must not shift them.
            self._db.execute("set timezone = 'UTC'")
            self._attach()
        except duckdb.Error as error:
            self._db.close()
            raise StoreError(f"cannot open {path}: {str(error).splitlines()[0]}") from error
        if is_new:
            self._create_or_close()
        elif self._version() != SCHEMA_VERSION:
            self._db.close()
            raise StoreError(f"{path} is of another version than {SCHEMA_VERSION}: it has to be built anew")

    def _attach(self) -> None:
        self._db.execute(f"attach '{quote(self.path)}' as ingest; use ingest")

    def _detach(self) -> None:
        self._db.execute("use memory; detach ingest")

    def _create_or_close(self) -> None:
        try:
            self._create()
        except BaseException:
            self._db.close()
            raise

    def _create(self) -> None:
        quantiles = _t_quantiles()
        with self.transaction():
            self._db.execute(schema_sql())
            check_columns(dict(self._db.execute("select column_name, column_type from (describe results)").fetchall()))
            self._db.execute("insert into raw.meta values ('version', ?), ('dirty', '1')", [SCHEMA_VERSION])
            self._insert("raw.t_quantiles", [{"df": df, "t": t} for df, t in quantiles])

    def _version(self) -> str | None:
        try:
            row = self._db.execute("select value from raw.meta where name = 'version'").fetchone()
        except duckdb.Error:
            return None
        return None if row is None else str(row[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside counts together or not at all."""
        self._db.execute("begin")
        try:
            yield
        except BaseException:
            # A Ctrl-C too.
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def seen(self) -> dict[str, tuple[str, bool]]:
        """Return what was read of each item: its signature then, and whether it is settled (cannot change any more)."""
        rows = self._db.execute("select item, signature, settled from raw.seen").fetchall()
        return {item: (signature, settled) for item, signature, settled in rows}

    def states(self) -> dict[str, str | None]:
        return dict(self._db.execute("select job, state from jobs").fetchall())

    def watermarks(self, jobs: Sequence[str]) -> dict[tuple[str, int], Watermark]:
        rows = self._db.execute(
            "select job, attempt, bytes, damaged, compacted from raw.watermarks where list_contains(?, job)",
            [list(jobs)],
        ).fetchall()
        return {(job, attempt): Watermark(*mark) for job, attempt, *mark in rows}

    def mark_seen(self, items: Mapping[str, tuple[str, bool]]) -> None:
        rows = [{"item": item, "signature": sign, "settled": settled} for item, (sign, settled) in items.items()]
        self.replace("raw.seen", "item", list(items), rows)

    def replace(self, table: str, key: str, keys: Sequence[str] | None, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put `rows` in the place of all rows of `table` whose `key` is one of `keys`; of all rows where it is None."""
        if keys is None:
            self._db.execute(f"delete from {table}")
        elif keys:
            self._db.execute(f"delete from {table} where list_contains(?, {key})", [list(keys)])
        self._insert(table, rows)
        self._touch_meta()

    def set_states(self, states: Mapping[str, str]) -> None:
        for state in sorted(set(states.values())):
            jobs = [job for job, one in states.items() if one == state]
            self._db.execute("update jobs set state = ? where list_contains(?, job)", [state, jobs])
        self._touch_meta()

    def forget_jobs(self, jobs: Sequence[str]) -> None:
        """Take out every row of jobs whose folders are gone, or that must be read from the start again."""
        if not jobs:
            return
        for table in [*OF_A_JOB, "raw.watermarks", *(f"raw.{name}" for name in RAW_TABLES)]:
            self._db.execute(f"delete from {table} where list_contains(?, job)", [list(jobs)])
        self.forget_seen([f"job:{job}" for job in jobs])
        self._touch_meta()

    def forget_seen(self, items: Sequence[str]) -> None:
        self._db.execute("delete from raw.seen where list_contains(?, item)", [list(items)])

    def add_lines(self, chunks: Sequence[Lines]) -> None:
        """Put journal lines into the raw tables and move the watermarks past them, in the caller's transaction."""
        if not chunks:
            return
        longest = stage_lines(chunks, self._stage)
        self._load_lines(typed_lines(self._stage, longest))
        self._move_watermarks(chunks)
        self._touch_meta()

    def add_compacted(self, files: Sequence[Compacted]) -> None:
        """Put the lines of compacted journals into the raw tables, in the caller's transaction.

        Raises StoreError for a file that cannot be read.
        """
        if not files:
            return
        try:
            self._load_lines(compacted_lines([one.path for one in files]))
        except duckdb.Error as error:
            raise StoreError(f"cannot read a compacted journal: {str(error).splitlines()[0]}") from error
        for one in files:
            self.note_compacted(one)
        self._touch_meta()

    def note_compacted(self, one: Compacted) -> None:
        """Remember that an attempt's lines, all of which are here, lie in a Parquet file from now on."""
        self._db.execute("delete from raw.watermarks where job = ? and attempt = ?", [one.job, one.attempt])
        self._db.execute("insert into raw.watermarks values (?, ?, ?, 0, true)", [one.job, one.attempt, one.bytes])

    def finished_journals(self, smallest: int) -> list[tuple[str, int]]:
        """Return job and attempt of the journals of at least `smallest` bytes whose jobs cannot change any more."""
        return self._db.execute(
            "select w.job, w.attempt from raw.watermarks w join raw.seen s on s.item = 'job:' || w.job "
            "where s.settled and not w.compacted and w.damaged = 0 and w.bytes >= ? order by all", [smallest]
        ).fetchall()  # fmt: skip

    def damaged(self) -> tuple[str, ...]:
        """Return a line for each file that is not as it was written, and so left out."""
        rows = self._db.execute("select distinct file || ': ' || what from damaged order by all").fetchall()
        return tuple(str(line) for (line,) in rows)

    def _load_lines(self, query: str) -> None:
        self._db.execute(f"create or replace temp table lines as {query}")
        self._run_file("ingest_lines.sql")

    def _move_watermarks(self, chunks: Sequence[Lines]) -> None:
        found = self._db.execute("select job, attempt, count(*) from lines group by all").fetchall()
        good = {(job, attempt): count for job, attempt, count in found}
        marks = self.watermarks(sorted({chunk.job for chunk in chunks}))
        for chunk in chunks:
            key = (chunk.job, chunk.attempt)
            # A journal's rows are all subtracted at its first chunk; the others then add their lines.
            damaged = marks.get(key, Watermark(0, 0)).damaged + chunk.data.count(b"\n") - good.pop(key, 0)
            marks[key] = Watermark(chunk.offset + len(chunk.data), damaged)
        rows = [
            {"job": job, "attempt": at, "bytes": one.bytes, "damaged": one.damaged, "compacted": one.is_compacted}
            for (job, at), one in marks.items()
        ]
        self.replace("raw.watermarks", "job", sorted({job for job, _ in marks}), rows)

    def refresh(self, jobs: Sequence[str]) -> None:
        """Work out anew which lines of `jobs` count, and their last and best values."""
        self._db.execute("create or replace temp table touched (job varchar)")
        self._insert("touched", [{"job": job} for job in jobs])
        self._run_file("refresh_jobs.sql")
        self._touch_meta()

    def _insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows by column name."""
        # By the kinds of the table: JSON does not tell a time from a text.
        kinds = {name: kind for name, kind, *_ in self._db.execute(f"describe {table}").fetchall()}
        query = stage_rows(rows, self._stage, kinds)
        if query:
            names = ", ".join(f'"{name}"' for name in kinds)
            self._db.execute(f"insert into {table} ({names}) {query}")

    def _run_file(self, name: str) -> None:
        self._db.execute((ROOM / "queries" / name).read_text())

    def _touch_meta(self) -> None:
        self._db.execute("update raw.meta set value = '1' where name = 'dirty' and value <> '1'")

    @property
    def is_dirty(self) -> bool:
        """Whether rows changed since the last publication, in this process or one that died before publishing."""
        row = self._db.execute("select value from raw.meta where name = 'dirty'").fetchone()
        return row is None or row[0] != "0"

    def publish(self, snapshot: Path) -> float:
        """Replace the snapshot by what is here now and close; return the seconds it took.

        Raises CorruptStore, and leaves the snapshot that was, where a block of the database is not as it was written.
        """
        started = time.monotonic()
        self._db.execute("create or replace table raw.results_now as select * from results_live")
        # A copy has no -wal beside it, so everything has to be in the file itself.
        self._db.execute("checkpoint ingest")
        # Let go, so that nothing writes under the copy.
        self._detach()
        beside = snapshot.with_name(f".{snapshot.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            shutil.copyfile(self.path, beside)
            # On the disk before it has the name: readers never see half a file, after a power cut either.
            with open(beside, "rb") as handle:
                os.fsync(handle.fileno())
            # A copy of a block that was damaged since anybody read it is damaged too, and its readers would be first.
            if problem := find_unreadable(self._db, beside):
                raise CorruptStore(problem, REBUILD)
            os.replace(beside, snapshot)
            self._mark_clean()
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        finally:
            self.close()
        return time.monotonic() - started

    def _mark_clean(self) -> None:
        """Last of all: a copy that failed or was killed is made again, at worst one more time than needed."""
        self._attach()
        self._db.execute("update raw.meta set value = '0' where name = 'dirty'")
        self._detach()

    def close(self) -> None:
        self._db.close()
        self._stage.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _t_quantiles() -> list[tuple[int, float]]:
    """Return t(0.975, df) for as many degrees of freedom as a number of seeds can give."""
    # Here, as only a new database needs scipy, and its import takes long.
    from scipy.special import stdtrit

    degrees = range(1, 1001)
    return list(zip(degrees, stdtrit(degrees, 0.975).tolist(), strict=True))
