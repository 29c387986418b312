"""Parquet files that others wrote: takes paths, gives columns and rows. Nothing else is opened, nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from store.readonly import StoreError
from store.results.reading import OPEN_CONFIG
from store.results.staging import exact


def ask_parquet(paths: Sequence[Path], query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query of ours on the files, whose rows are `rows`, with `filename` as one of the columns.

    Times come in UTC. Raises StoreError where a file is no Parquet, damaged, or lacks what is asked for.
    """
    names = ", ".join(f"'{exact(path)}'" for path in paths)
    source = f"read_parquet([{names}], union_by_name = true, filename = true)"
    try:
        with duckdb.connect(":memory:", config=OPEN_CONFIG) as db:
            db.execute("set timezone = 'UTC'")
            return db.execute(f"with rows as (select * from {source}) {query}", list(values)).fetchall()
    except duckdb.Error as error:
        raise StoreError(str(error).splitlines()[0]) from error


def parquet_columns(paths: Sequence[Path]) -> dict[str, str]:
    """Return the columns of the files and their types. Raises StoreError as ask_parquet does."""
    names = ", ".join(f"'{exact(path)}'" for path in paths)
    try:
        with duckdb.connect(":memory:", config=OPEN_CONFIG) as db:
            rows = db.execute(f"describe select * from read_parquet([{names}], union_by_name = true)").fetchall()
    except duckdb.Error as error:
        raise StoreError(str(error).splitlines()[0]) from error
    return {str(row[0]): str(row[1]) for row in rows}
