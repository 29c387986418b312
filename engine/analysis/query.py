"""`xp sql`: takes a query, gives the text to print and a note; turns the store's errors into ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine.analysis.snapshot import Snapshot
from engine.collect import collect
from engine.errors import QueryError, closest_hint
from engine.home.paths import Home
from store.format import FORMATS, format_rows
from store.readonly import StoreError
from store.results import Begun, QueryResult, ask_bounded, read_names, run_query, run_to_parquet

ROWS, SECONDS = 10_000, 120.0
FILE_SECONDS = 60.0
ONE_STATEMENT = "one read-only statement, such as: select arm, mean from cells where metric = 'test_top1'"


def answer_query(
    home: Home, query: str, style: str, *, fresh: bool = False, most: int = ROWS, seconds: float = SECONDS
) -> tuple[str, str]:
    """Return the formatted rows, at most `most`, and a note (empty, or that rows were left off). Raises QueryError."""
    check_format(style)
    result = fetch_rows(home, query, fresh=fresh, most=most, seconds=seconds)
    with _our_errors():
        text = format_rows(result, style)
    note = f"only the first {len(result.rows):,} rows are shown; --limit N shows more" if result.truncated else ""
    return text, note


def fetch_rows(
    home: Home,
    query: str,
    *,
    fresh: bool = False,
    most: int = ROWS,
    seconds: float = SECONDS,
    begun: Begun | None = None,
) -> QueryResult:
    """Return at most `most` rows of one read-only statement, of the newest lines if `fresh`. Raises QueryError.

    `begun` is given what ends the query before its time.
    """
    if not query.isascii() and query.encode("utf-8", "replace").decode() != query:
        raise QueryError("the query holds bytes that are no Unicode text", fix="write it in UTF-8")
    if fresh or not home.results_db.exists():
        collect(home, wait=60.0)
    with _our_errors():
        return run_query(home, query, limit=most, seconds=seconds, begun=begun)


def ask_file(snapshot: Snapshot, file: Path, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a query of others, at most ROWS, in a file; `values` are what it may name, as in $name.

    Raises QueryError with the file and, where DuckDB tells it, the line.
    """
    try:
        found = ask_bounded(snapshot.db, file.read_text(encoding="utf-8"), values, limit=ROWS, seconds=FILE_SECONDS)
    except UnicodeDecodeError as error:
        raise QueryError(
            "the query holds bytes that are no Unicode text", where=str(file), fix="write it in UTF-8"
        ) from error
    except StoreError as error:
        where = f"{file}:{error.line}" if error.line else str(file)
        raise QueryError(str(error), where=where, fix=error.fix or "xp sql tries a query out") from error
    if found.truncated:
        raise QueryError(f"the query gives more than {ROWS:,} rows", where=str(file), fix="group them, or add a limit")
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def check_format(style: str) -> None:
    """Raise QueryError for what is no format, before a query takes its time."""
    if style not in FORMATS:
        raise QueryError(f"there is no format {style!r}", fix=closest_hint(style, FORMATS))


def fetch_parquet(
    home: Home, query: str, *, most: int = ROWS, seconds: float = SECONDS, begun: Begun | None = None
) -> bytes:
    """Return at most `most` rows of one read-only statement as a Parquet file. Raises QueryError."""
    if find_spec("pyarrow") is None:
        raise QueryError("Parquet needs pyarrow, which is not installed", fix="pip install 'xp-engine[notebook]'")
    with _our_errors():
        return run_to_parquet(home, query, limit=most, seconds=seconds, begun=begun)


def find_place_of(error: QueryError) -> tuple[int, int]:
    """Return the line and column of the query that an error of fetch_rows means, from 1; 0 where it is not known."""
    cause = error.__cause__
    return (cause.line, cause.column) if isinstance(cause, StoreError) else (0, 0)


def list_names(home: Home, *, fresh: bool = False) -> dict[str, list[str]]:
    """Return the tables and views that a query may name, with their columns. Raises QueryError without results."""
    if fresh or not home.results_db.exists():
        collect(home, wait=60.0)
    with _our_errors():
        return read_names(home)


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise QueryError(str(error), fix=error.fix or _fix_of(str(error))) from error


def _fix_of(said: str) -> str:
    """Name what was meant where the store knows it, else how a query looks."""
    _, known, near = said.partition("; nearest: ")
    return f"did you mean {' or '.join(near.split(', '))}?" if known else ONE_STATEMENT
