"""Reading the results: takes a home folder, gives a read-only connection, or the bounded answer to one query.

In a notebook:

    from store.results import open_snapshot
    db = open_snapshot(".xp")
    db.sql("select arm, mean, low, high from cells where metric = 'test_top1'").df()       # needs pandas
    db.sql("select * from metrics where name = 'val_loss'").to_arrow_table()                # needs pyarrow

Both come with `pip install 'xp-engine[notebook]'`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import duckdb

from store.file_names import quote
from store.readonly import StoreError, check_query, explain_error, find_place
from store.results.bounds import QueryTooLong, StillEnding, bound_memory, run_bounded
from store.results.handle import Handle
from store.results.schema import SCHEMA_VERSION
from store.results.staging import quote_name

Config = dict[str, str | bool | int | float | list[str]]
Connection = duckdb.DuckDBPyConnection
Begun = Callable[[Callable[[], None]], None]
Taken = TypeVar("Taken")
# What is made of a query with its values on a connection.
Take = Callable[[Connection, tuple[str, dict[str, Any]]], Taken]
ROW_LIMIT = 10_000
ANSWER_LIMIT = 64 << 20  # characters of text in one answer
PARQUET_ROWS = 50_000  # that are written at a time
MEMORY_LIMIT = "2GB"  # of tables and sorts; a single huge value is bounded by bound_memory
# Of a reader. No file is written where memory is short: it would lie beside the results. No variable of Python's is a
# table: whose, would depend on the thread and the function that asks.
OPEN_CONFIG: Config = {
    "memory_limit": "4GB", "temp_directory": "", "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false", "python_enable_replacements": "false",
}  # fmt: skip
# In this order, after the results are attached: then they are read, and no other file is opened for anything. The
# list of allowed paths alone would leave the results themselves to be read as bytes and written by COPY.
LOCK = "set enable_external_access = false; set disabled_filesystems = 'LocalFileSystem'; set lock_configuration = true"
SECONDS_LIMIT = 120.0
UNOPENABLE = "?\\"
REBUILD = "xp rebuild makes it anew from the job folders"


class CorruptStore(StoreError):
    """A block of a database is not as it was written."""


@contextmanager
def find_corruption() -> Iterator[None]:
    """Turn what DuckDB says of a damaged block into CorruptStore; it checks the sum of each block that it reads."""
    try:
        yield
    except duckdb.Error as error:
        if not re.search("corrupt|checksum|deseriali", str(error), re.IGNORECASE):
            raise
        raise CorruptStore(str(error).splitlines()[0], REBUILD) from error


@runtime_checkable
class HasResults(Protocol):
    """A home as the store sees it: something that knows where its published snapshot lies."""

    @property
    def results_db(self) -> Path: ...


@dataclass(frozen=True)
class QueryResult:
    """Rows of a query, at most `limit` of them; `truncated` says that there were more."""

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool = False


def open_snapshot(home: Path | str | HasResults, *, seconds: float | None = SECONDS_LIMIT) -> Connection:
    """Return a read-only connection to the newest published results of a home folder (or of its results.duckdb).

    It sees the snapshot of now for as long as it lives; open another one for newer results. `.sql(query).df()` gives
    a pandas DataFrame, `.sql(query).to_arrow_table()` an Arrow table. It opens no other file, whatever it is asked,
    and nothing that it does changes the results. Its memory is bounded, and so is the time of each call (`seconds`,
    then StoreError; None: no limit, and DuckDB's own object instead of one that does the same); batches read from an
    Arrow reader take what time they take, a few at a time in memory. A table of Python's is joined by
    `.register(name, frame)`, and by no other way: a variable's name is none of a table. Raises StoreError without
    results, or when they are of another version than this release.
    """
    db = _open_file(_snapshot_path(home), OPEN_CONFIG)
    return db if seconds is None else cast(Connection, Handle(db, db, seconds))


def _snapshot_path(home: Path | str | HasResults) -> Path:
    if isinstance(home, HasResults):
        return home.results_db
    path = Path(home)
    return path / "results.duckdb" if path.is_dir() else path


def _open_file(path: Path, config: Config) -> Connection:
    """Attach the file to a database in memory: a plain second `connect` in one process would see a replaced file."""
    if not path.is_file():
        raise StoreError(f"there are no results yet at {path}: submit a spec, or run `xp rebuild`", "xp submit SPEC")
    if letters := unopenable(path):
        raise StoreError(f"DuckDB opens no file whose path holds {letters}: {path}", "move or rename the folder")
    db = duckdb.connect(":memory:", config=config)
    try:
        db.execute(f"set timezone = 'UTC'; attach '{quote(path.resolve())}' as results (read_only); use results")
        version = db.execute("select value from raw.meta where name = 'version'").fetchall()
        db.execute(LOCK)
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        db.close()
        raise StoreError(
            f"there is not the memory to read {path}", "raise the limit (ulimit -v), or end what holds it"
        ) from error
    except duckdb.Error as error:
        db.close()
        raise StoreError(f"cannot read {path}: {str(error).splitlines()[0]}", REBUILD) from error
    if version != [(SCHEMA_VERSION,)]:
        db.close()
        raise StoreError(f"{path} was made by another release of xp: `xp rebuild` makes it anew", REBUILD)
    return db


def read_everything(path: Path) -> str | None:
    """Return what keeps the results from being read, None where every row can be: DuckDB has a sum of each block."""
    try:
        with _open_file(path, {}) as db:
            _read_tables(db)
    except (duckdb.Error, StoreError) as error:
        return str(error).splitlines()[0]
    return None


def find_unreadable(db: Connection, path: Path) -> str | None:
    """Do what read_everything does, of a file that this process has just written, in a database that it has open."""
    try:
        db.execute(f"attach '{quote(path)}' as results (read_only)")
        _read_tables(db)
        db.execute("detach results")
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return None


def _read_tables(db: Connection) -> None:
    """Read each row of the tables of `results`."""
    tables = db.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'results'"
    ).fetchall()
    for schema, table in tables:
        name = f"results.{schema}.{quote_name(table)}"
        db.execute(f"select sum(hash(one)::hugeint) from {name} as one").fetchall()


def unopenable(path: Path) -> str:
    """Return the letters for which DuckDB would open another file than `path`, or none: it cuts and splits at them."""
    return " and ".join(letter for letter in UNOPENABLE if letter in str(path.resolve()))


def run_query(
    home: Path | str | HasResults,
    sql: str,
    *,
    limit: int = ROW_LIMIT,
    seconds: float = SECONDS_LIMIT,
    begun: Begun | None = None,
) -> QueryResult:
    """Run one read-only statement and return at most `limit` rows.

    Nothing outside the snapshot can be read and nothing at all written: only a query is let through, the snapshot is
    attached read-only, DuckDB opens no file, and its settings are locked. Memory, time and the size of the answer are
    bounded. Raises StoreError in one line. `begun` is given what ends the query before its time, from any thread.
    """
    return _run_locked(home, sql, lambda db, asked: _fetch_rows(db.execute(*asked), limit), seconds, begun)


def run_to_parquet(
    home: Path | str | HasResults, sql: str, *, limit: int, seconds: float = SECONDS_LIMIT, begun: Begun | None = None
) -> bytes:
    """Run one statement as `run_query` does; return its first `limit` rows as a Parquet file. Needs pyarrow."""
    return _run_locked(
        home,
        sql,
        lambda db, asked: _write_parquet(db.sql(asked[0], params=asked[1]).to_arrow_reader(PARQUET_ROWS), limit),
        seconds,
        begun,
    )


def run_locked(
    home: Path | str | HasResults, sql: str, take: Take[Taken], seconds: float, begun: Begun | None = None
) -> Taken:
    """Return what `take` makes of one statement, which is bounded as that of run_query is. Raises StoreError."""
    return _run_locked(home, sql, take, seconds, begun)


def _run_locked(
    home: Path | str | HasResults,
    sql: str,
    take: Take[Taken],
    seconds: float,
    begun: Begun | None,
) -> Taken:
    db = _open_locked(home)
    if begun is not None:
        begun(lambda: _interrupt(db))
    try:
        return run_bounded(lambda: _take_and_close(db, sql, take), db.interrupt, seconds)
    except (QueryTooLong, duckdb.InterruptException) as error:
        raise StoreError(f"the query took more than {seconds:g} seconds and was stopped") from error
    except StillEnding as error:
        db.close()
        fix = "ask again in a minute; a value of many millions of letters is what takes long to end"
        raise StoreError("a query whose time was over has not ended yet", fix) from error


def _take_and_close(db: Connection, sql: str, take: Take[Taken]) -> Taken:
    with db:
        return _take_bounded(db, sql, {}, take)


def _interrupt(db: Connection) -> None:
    with suppress(duckdb.Error):  # it has ended by itself, and its connection is closed
        db.interrupt()


def _write_parquet(reader: Any, limit: int) -> bytes:
    from pyarrow import BufferOutputStream, parquet

    sink, left = BufferOutputStream(), limit
    with parquet.ParquetWriter(sink, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch.slice(0, left))
            left -= min(left, batch.num_rows)
            if not left:
                break
            if sink.tell() > ANSWER_LIMIT:
                raise StoreError(
                    f"the answer is larger than {ANSWER_LIMIT >> 20} MB: select less, or read it with open_snapshot"
                )
    return bytes(sink.getvalue())


def ask_bounded(
    db: Connection, sql: str, values: Mapping[str, Any], *, limit: int = ROW_LIMIT, seconds: float = SECONDS_LIMIT
) -> QueryResult:
    """Run one statement of others as `run_query` does, on a snapshot that is open and stays so.

    Of `values` it takes those that it names ($name). Raises StoreError; `.line` is where in `sql`, if DuckDB says.
    """
    try:
        return run_bounded(
            lambda: _take_bounded(db, sql, values, lambda db, asked: _fetch_rows(db.execute(*asked), limit)),
            db.interrupt,
            seconds,
        )
    except (QueryTooLong, StillEnding, duckdb.InterruptException) as error:
        raise StoreError(f"the query took more than {seconds:g} seconds and was stopped") from error


def _take_bounded(db: Connection, sql: str, values: Mapping[str, Any], take: Take[Taken]) -> Taken:
    try:
        statements = db.extract_statements(sql)
        check_query(sql, [statement.type.name for statement in statements])
        asked = statements[0].named_parameters
        if unknown := sorted(set(asked) - set(values)):
            known = ", ".join(f"${one}" for one in values)
            raise StoreError(f"there is no value ${unknown[0]}", f"use {known}" if known else "write the value itself")
        with bound_memory(), find_corruption():
            return take(db, (sql, {one: values[one] for one in asked}))
    except duckdb.InterruptException:
        raise
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise StoreError("the query needs more memory than one may have: select or group less") from error
    except (duckdb.Error, RuntimeError, ValueError) as error:
        if isinstance(error, StoreError):
            raise
        told = StoreError(explain_error(str(error), _names_in(db), sql))
        told.line, told.column = find_place(str(error), sql)
        raise told from error


def read_names(home: Path | str | HasResults) -> dict[str, list[str]]:
    """Return the relations that a reader should know and their columns. Raises StoreError without results."""
    with _open_locked(home) as db:
        return _names_in(db)


def _open_locked(home: Path | str | HasResults) -> Connection:
    """Return a connection for queries of others."""
    return _open_file(_snapshot_path(home), {**OPEN_CONFIG, "memory_limit": MEMORY_LIMIT})


def _fetch_rows(cursor: Connection, limit: int) -> QueryResult:
    described = cursor.description or []
    # One more than asked for tells whether there are more.
    rows = cursor.fetchmany(limit + 1)
    if sum(len(value) for row in rows for value in row if isinstance(value, str | bytes)) > ANSWER_LIMIT:
        raise StoreError(
            f"the answer is larger than {ANSWER_LIMIT >> 20} MB: select less, or read it with open_snapshot"
        )
    columns, types = [str(part[0]) for part in described], [str(part[1]) for part in described]
    return QueryResult(columns, types, rows[:limit], len(rows) > limit)


def _names_in(db: Connection) -> dict[str, list[str]]:
    rows = db.execute(
        "select table_name, list(column_name order by column_index) from duckdb_columns() "
        "where database_name = 'results' and schema_name = 'main' and table_name <> 'results_live' group by all"
    ).fetchall()
    return dict(rows)
