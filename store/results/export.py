"""The results as Parquet: takes a published snapshot, gives a file for each relation; and whether two say the same."""

from __future__ import annotations

from pathlib import Path

import duckdb

from store.file_names import exact, quote
from store.readonly import StoreError
from store.results.reading import OPEN_CONFIG, HasResults, read_names
from store.results.staging import quote_name

# An image of a training's split in a row of its own; `facts` and `samples` say the same in a thousandth of the room.
UNPACKED = ("splits",)


def export_relations(home: HasResults, folder: Path) -> list[Path]:
    """Write every relation that readers know as `<relation>.parquet`, rows in one order, and return the files.

    The same results give the same bytes with the same DuckDB. Raises StoreError where they cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in sorted(read_names(home)) if name not in UNPACKED]
    with _open_writer(folder) as db:
        try:
            db.execute(f"attach '{quote(home.results_db.resolve())}' as results (read_only); use results")
            return [_export(db, name, folder / f"{name}.parquet") for name in names]
        except duckdb.Error as error:
            raise StoreError(f"cannot write the results as Parquet: {str(error).splitlines()[0]}") from error


def _open_writer(folder: Path) -> duckdb.DuckDBPyConnection:
    # One thread: rows come in one order, and so do the groups that a file has them in.
    spill = folder.with_name(f".{folder.name}.spill")
    return duckdb.connect(":memory:", config={**OPEN_CONFIG, "threads": 1, "temp_directory": str(spill)})


def _export(db: duckdb.DuckDBPyConnection, name: str, path: Path) -> Path:
    rows = f"select * from results.main.{quote_name(name)} order by all"
    db.execute(f"copy ({rows}) to '{quote(path)}' (format parquet, compression zstd)")
    return path


def count_rows(path: Path) -> int:
    """Return how many rows a Parquet file has. Raises StoreError where it is none."""
    return int(_ask(f"select count(*) from {_rows_of(path)}"))


def same_rows(one: Path, other: Path) -> bool:
    """Whether two Parquet files have the same rows, in any order. Raises StoreError where one cannot be read."""
    a, b = _rows_of(one), _rows_of(other)
    only = [f"(select * from {x} except all select * from {y})" for x, y in ((a, b), (b, a))]
    return int(_ask(f"select count(*) from ({only[0]} union all {only[1]})")) == 0


def _rows_of(path: Path) -> str:
    return f"read_parquet('{exact(path)}')"


def _ask(query: str) -> int:
    with duckdb.connect(":memory:", config=OPEN_CONFIG) as db:
        try:
            found = db.execute(query).fetchone()
        except duckdb.Error as error:
            raise StoreError(f"cannot read a Parquet file: {str(error).splitlines()[0]}") from error
    return int(found[0]) if found else 0
