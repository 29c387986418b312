"""The results: takes rows and journal lines, gives a published DuckDB snapshot and read-only queries on it.

The only file that imports duckdb. One `Ingest` at a time (its caller holds the lock) owns a private database file;
`publish` copies it and replaces the snapshot, so that readers never wait and are never torn.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import duckdb

from store.readonly import StoreError, check_query, explain_error

SCHEMA_VERSION = "3"
ROOM = Path(__file__).parent
ROW_LIMIT = 10_000
ANSWER_LIMIT = 64 << 20  # characters of text in one answer
MEMORY_LIMIT = "2GB"
LINE_COLUMNS = {
    "_job": "VARCHAR", "_attempt": "INTEGER", "seq": "BIGINT", "type": "VARCHAR", "at": "DOUBLE", "name": "VARCHAR",
    "value": "JSON", "step": "BIGINT", "epoch": "INTEGER", "unit": "VARCHAR", "device": "VARCHAR",
    "precision": "VARCHAR", "batch_size": "INTEGER", "threads": "INTEGER", "p5": "JSON", "p95": "JSON", "n": "INTEGER",
    "part": "VARCHAR", "sample": "VARCHAR[]", "label": "INTEGER[]", "predicted": "INTEGER[]",
    "confidence": "VARCHAR[]", "attempt": "VARCHAR", "upto": "BIGINT",
}  # fmt: skip
RAW_TABLES = ("metrics", "measurements", "predictions", "teachers", "facts", "resumes")
OF_A_JOB = ("jobs", "attempts", "provenance", "metrics_last", "raw.winners", "raw.chains", "raw.evaluations")


@runtime_checkable
class HasResults(Protocol):
    """A home as the store sees it: something that knows where its published snapshot lies."""

    @property
    def results_db(self) -> Path: ...


@dataclass(frozen=True)
class Watermark:
    """How far a journal was read: bytes of whole lines, and how many of them no reader could parse."""

    bytes: int
    damaged: int


@dataclass(frozen=True)
class Lines:
    """Whole journal lines of one attempt, from byte `offset` of its file on."""

    job: str
    attempt: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class QueryResult:
    """Rows of a query, at most `limit` of them; `truncated` says that there were more."""

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool = False


class Ingest:
    """The private database, open for writing. Use as a context manager; at most one per file, by its caller's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stage = path.with_name(path.name + ".stage")
        is_new = not path.exists()
        try:
            self._db = duckdb.connect(str(path))
            self._db.execute("set timezone = 'UTC'")
        except duckdb.Error as error:
            raise StoreError(f"cannot open {path}: {str(error).splitlines()[0]}") from error
        if is_new:
            self._create()
        elif self._version() != SCHEMA_VERSION:
            self._db.close()
            raise StoreError(f"{path} is of another version than {SCHEMA_VERSION}: it has to be built anew")

    def _create(self) -> None:
        quantiles = _t_quantiles()
        with self.transaction():
            self._db.execute((ROOM / "schema.sql").read_text())
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
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def seen(self) -> dict[str, tuple[str, bool]]:
        """Return what was read of each item: its signature then, and whether it can still change."""
        rows = self._db.execute("select item, signature, settled from raw.seen").fetchall()
        return {item: (signature, settled) for item, signature, settled in rows}

    def states(self) -> dict[str, str | None]:
        return dict(self._db.execute("select job, state from jobs").fetchall())

    def watermarks(self, jobs: Sequence[str]) -> dict[tuple[str, int], Watermark]:
        rows = self._db.execute(
            "select job, attempt, bytes, damaged from raw.watermarks where list_contains(?, job)", [list(jobs)]
        ).fetchall()
        return {(job, attempt): Watermark(size, damaged) for job, attempt, size, damaged in rows}

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
        longest = 1 << 20
        with open(self._stage, "wb") as stage:
            for chunk in chunks:
                name = f'\n{{"_job":{json.dumps(chunk.job)},"_attempt":{chunk.attempt},'.encode()
                stage.write((b"\n" + chunk.data).replace(b"\n{", name)[1:])
                longest = max(longest, chunk.data.count(b"\n") and _longest_line(chunk.data))
        self._db.execute(
            f"create or replace temp table lines as select * from read_json('{_quote(self._stage)}', "
            f"format = 'newline_delimited', ignore_errors = true, columns = {_columns(LINE_COLUMNS)}, "
            f"maximum_object_size = {longest + 1024}) where seq is not null"
        )
        self._run_file("ingest_lines.sql")
        self._move_watermarks(chunks)
        self._db.execute("drop table lines")
        self._touch_meta()

    def _move_watermarks(self, chunks: Sequence[Lines]) -> None:
        found = self._db.execute("select _job, _attempt, count(*) from lines group by all").fetchall()
        good = {(job, attempt): count for job, attempt, count in found}
        marks = self.watermarks(sorted({chunk.job for chunk in chunks}))
        for chunk in chunks:
            key = (chunk.job, chunk.attempt)
            damaged = marks.get(key, Watermark(0, 0)).damaged + chunk.data.count(b"\n") - good.pop(key, 0)
            marks[key] = Watermark(chunk.offset + len(chunk.data), damaged)
        rows = [
            {"job": job, "attempt": at, "bytes": one.bytes, "damaged": one.damaged} for (job, at), one in marks.items()
        ]
        self.replace("raw.watermarks", "job", sorted({job for job, _ in marks}), rows)

    def refresh(self, jobs: Sequence[str]) -> None:
        """Work out anew which lines of `jobs` count, and their last and best values."""
        self._db.execute("create or replace temp table touched (job varchar)")
        self._insert("touched", [{"job": job} for job in jobs])
        self._run_file("refresh_jobs.sql")
        self._touch_meta()

    def _insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows by column name through a staged file: about 100 times as fast as row by row."""
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        if not text:
            return
        kinds = {name: kind for name, kind, *_ in self._db.execute(f"describe {table}").fetchall()}
        self._stage.write_text(text)
        names = ", ".join(f'"{name}"' for name in kinds)
        self._db.execute(
            f"insert into {table} ({names}) select {names} from read_json('{_quote(self._stage)}', "
            f"format = 'newline_delimited', columns = {_columns(kinds)}, maximum_object_size = {len(text) + 1024})"
        )

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
        """Replace the snapshot by what is here now and close; return the seconds it took."""
        started = time.monotonic()
        self._db.execute("create or replace table raw.results_now as select * from results_live")
        self._db.execute("update raw.meta set value = '0' where name = 'dirty'")
        self._db.execute("checkpoint")
        self.close()
        beside = snapshot.with_name(f".{snapshot.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            shutil.copyfile(self.path, beside)
            with open(beside, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(beside, snapshot)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        return time.monotonic() - started

    def close(self) -> None:
        self._db.close()
        self._stage.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_snapshot(home: Path | str | HasResults) -> duckdb.DuckDBPyConnection:
    """Return a read-only connection to the newest published results of a home folder (or of its results.duckdb).

    It sees the snapshot of now for as long as it lives; open another one for newer results. `.df()`, `.pl()` and
    `.arrow()` of its answers work where pandas, polars or pyarrow are installed. Raises StoreError without results.
    """
    return _open_file(_snapshot_path(home), {})


def _snapshot_path(home: Path | str | HasResults) -> Path:
    if isinstance(home, HasResults):
        return home.results_db
    path = Path(home)
    return path / "results.duckdb" if path.is_dir() else path


def _open_file(path: Path, config: dict[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    """Attach the file to a database in memory: a plain second `connect` in one process would see a replaced file."""
    if not path.is_file():
        raise StoreError(f"there are no results yet at {path}: submit a spec, or run `xp rebuild`")
    db = duckdb.connect(":memory:", config=config)
    try:
        db.execute(f"set timezone = 'UTC'; attach '{_quote(path.resolve())}' as results (read_only); use results")
    except duckdb.Error as error:
        db.close()
        raise StoreError(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    return db


def run_query(
    home: Path | str | HasResults, sql: str, *, limit: int = ROW_LIMIT, seconds: float = 600.0
) -> QueryResult:
    """Run one read-only statement and return at most `limit` rows.

    Nothing outside the snapshot can be read and nothing at all written: only a query is let through, the snapshot is
    attached read-only, DuckDB has no access to files, and its settings are locked. Raises StoreError in one line.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT, "python_enable_replacements": "false",
        "autoload_known_extensions": "false", "autoinstall_known_extensions": "false",
    }  # fmt: skip
    with _open_file(_snapshot_path(home), config) as db:
        db.execute("set max_temp_directory_size = '0MB'; set enable_external_access = false")
        db.execute("set lock_configuration = true")
        timer = threading.Timer(seconds, db.interrupt)
        timer.start()
        try:
            check_query(sql, [statement.type.name for statement in db.extract_statements(sql)])
            return _fetch_rows(db.execute(sql), limit)
        except duckdb.InterruptException as error:
            raise StoreError(f"the query took more than {seconds:g} seconds and was stopped") from error
        except (duckdb.Error, RuntimeError, ValueError) as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(explain_error(str(error), _names_in(db))) from error
        finally:
            timer.cancel()


def _fetch_rows(cursor: duckdb.DuckDBPyConnection, limit: int) -> QueryResult:
    described = cursor.description or []
    rows = cursor.fetchmany(limit + 1)
    if sum(len(value) for row in rows for value in row if isinstance(value, str | bytes)) > ANSWER_LIMIT:
        raise StoreError(
            f"the answer is larger than {ANSWER_LIMIT >> 20} MB: select less, or read it with open_snapshot"
        )
    columns, types = [str(part[0]) for part in described], [str(part[1]) for part in described]
    return QueryResult(columns, types, rows[:limit], len(rows) > limit)


def _names_in(db: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Return the relations that a reader should know and their columns."""
    rows = db.execute(
        "select table_name, list(column_name order by column_index) from duckdb_columns() "
        "where database_name = 'results' and schema_name = 'main' and not internal group by table_name"
    ).fetchall()
    return dict(rows)


def _quote(path: Path) -> str:
    return str(path).replace("'", "''")


def _columns(kinds: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items()) + "}"


def _longest_line(data: bytes) -> int:
    return max(map(len, data.split(b"\n"))) if len(data) > 1 << 20 else len(data)


def _t_quantiles() -> list[tuple[int, float]]:
    """Return t(0.975, df) for as many degrees of freedom as a number of seeds can give."""
    from scipy.special import stdtrit

    degrees = range(1, 1001)
    return list(zip(degrees, stdtrit(degrees, 0.975).tolist(), strict=True))
