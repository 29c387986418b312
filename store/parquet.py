"""Parquet files that others wrote: takes paths, gives columns and rows. Nothing else is opened, nothing written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from store.file_names import exact

# No file is written where memory is short, no extension fetched.
OPEN_CONFIG: Mapping[str, str | bool | int | float | list[str]] = {
    "memory_limit": "4GB", "temp_directory": "", "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false", "python_enable_replacements": "false",
}  # fmt: skip
ROWS_AT_A_TIME = 64


class ParquetError(ValueError):
    """A file is no Parquet, damaged, or lacks what is asked for; the message is one line."""


def ask_parquet(paths: Sequence[Path], query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query of ours on the files, whose rows are `rows`, with `filename` as one of the columns.

    Times come in UTC. Raises ParquetError where a file is no Parquet, damaged, or lacks what is asked for.
    """
    with _opened() as db:
        return db.execute(f"with rows as (select * from {_rows_of(paths)}) {query}", list(values)).fetchall()


def stream_parquet(path: Path, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query on a file, few of them in memory; `file_row_number` is a column too.

    Raises ParquetError as ask_parquet does.
    """
    source = f"read_parquet('{exact(path)}', file_row_number = true)"
    with _opened() as db:
        found = db.execute(f"with rows as (select * from {source}) {query}")
        while some := found.fetchmany(ROWS_AT_A_TIME):
            yield from some


def parquet_columns(paths: Sequence[Path]) -> dict[str, str]:
    """Return the columns of the files and their types. Raises ParquetError as ask_parquet does."""
    names = ", ".join(f"'{exact(path)}'" for path in paths)
    with _opened() as db:
        rows = db.execute(f"describe select * from read_parquet([{names}], union_by_name = true)").fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


def parquet_metadata(path: Path) -> dict[str, str]:
    """Return the words that stand in a file's metadata, by their keys. Raises ParquetError as ask_parquet does."""
    with _opened() as db:
        rows = db.execute(f"select key, value from parquet_kv_metadata('{exact(path)}')").fetchall()
    return {bytes(key).decode("utf-8", "replace"): bytes(value).decode("utf-8", "replace") for key, value in rows}


def _rows_of(paths: Sequence[Path]) -> str:
    names = ", ".join(f"'{exact(path)}'" for path in paths)
    return f"read_parquet([{names}], union_by_name = true, filename = true)"


@contextmanager
def _opened() -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with duckdb.connect(":memory:", config={**OPEN_CONFIG}) as db:
            db.execute("set timezone = 'UTC'")
            yield db
    except duckdb.Error as error:
        raise ParquetError(str(error).splitlines()[0]) from error
