"""`xp sql`: takes a query, gives the text to print and a note; turns the store's errors into ours."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from engine.analysis.snapshot import Snapshot
from engine.collect import collect
from engine.errors import QueryError, closest_hint
from engine.home.paths import Home
from engine.spec.synonyms import SYNONYMS, hint_word, meant_words
from store.format import FORMATS, format_rows
from store.metrics import METRICS
from store.readonly import StoreError
from store.results import Begun, QueryResult, ask_bounded, read_names, run_query, run_to_parquet

ROWS, SECONDS = 10_000, 120.0
FILE_SECONDS = 60.0
STREAMED = ("parquet", "arrow", "csv")  # into a file, row by row, however many there are
NEED_ARROW = ("parquet", "arrow")
ONE_STATEMENT = "one read-only statement, such as: select arm, mean from cells where metric = 'test_top1'"


def answer_query(
    home: Home, query: str, style: str, *, fresh: bool = False, most: int = ROWS, seconds: float = SECONDS
) -> tuple[str, str]:
    """Return the formatted rows, at most `most`, and a note (empty, or that rows were left off). Raises QueryError."""
    check_format(style)
    result = fetch_rows(home, query, fresh=fresh, most=most, seconds=seconds)
    with _our_errors():
        text = format_rows(result, style)
    return text, _cut_note(result) if result.rows else _unknown_metric(query)


def _cut_note(result: QueryResult) -> str:
    return f"only the first {len(result.rows):,} rows are shown; --limit N shows more" if result.truncated else ""


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


def write_query(
    home: Home,
    query: str,
    style: str,
    out: Path | None,
    *,
    fresh: bool = False,
    most: int | None = None,
    seconds: float = SECONDS,
) -> tuple[int, str]:
    """Write the rows of one read-only statement to a file, whole or not at all, or to stdout where `out` is None.

    Return how many rows there were, and a note as of answer_query. What is streamed (STREAMED) has every row unless
    `most` says otherwise, all else as many as a terminal shows. Raises QueryError.
    """
    check_file_format(style)
    if style in NEED_ARROW and find_spec("pyarrow") is None:
        raise QueryError(f"{style} needs pyarrow, which is not installed", fix="pip install 'xp-engine[notebook]'")
    if fresh or not home.results_db.exists():
        collect(home, wait=60.0)
    if style in STREAMED:
        kind = "arrow_stream" if style == "arrow" and out is None else style
        return _write_whole(out, lambda handle: _stream(home, query, kind, handle, most, seconds)), ""
    result = fetch_rows(home, query, most=most or ROWS, seconds=seconds)
    with _our_errors():
        text = format_rows(result, style)
    _write_whole(out, lambda handle: handle.write(f"{text}\n".encode(errors="backslashreplace")))
    return len(result.rows), _cut_note(result)


def check_file_format(style: str) -> None:
    """Raise QueryError for what is no format of a file."""
    if style not in (*FORMATS, *STREAMED):
        raise QueryError(f"there is no format {style!r}", fix=closest_hint(style, (*FORMATS, *STREAMED)))


def _stream(home: Home, query: str, kind: str, handle: IO[bytes], most: int | None, seconds: float) -> int:
    # Here, as most queries are answered as text.
    from store.results.streaming import stream_query

    with _our_errors():
        return stream_query(home, query, kind, handle, most=most, seconds=seconds)


def _write_whole(out: Path | None, write: Callable[[IO[bytes]], int]) -> int:
    """Let `write` fill a file that gets its name when it is whole."""
    if out is None:
        count = write(sys.stdout.buffer)
        sys.stdout.flush()
        return count
    if out.is_dir() or not out.parent.is_dir():
        what = "this is a folder" if out.is_dir() else f"there is no folder {out.parent}"
        raise QueryError(what, where=str(out), fix="name a file in a folder that is there")
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with open(beside, "wb") as handle:
            count = write(handle)
        os.replace(beside, out)
    finally:
        beside.unlink(missing_ok=True)
    return count


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
    """Name what was meant: a metric by another tool's name, the nearest that the store knows; else what a query is."""
    _, known, near = said.partition("; nearest: ")
    nearest = f"did you mean {' or '.join(near.split(', '))}?" if known else ONE_STATEMENT
    return _meant_column(said) or nearest


def _meant_column(said: str) -> str:
    """Return the metric that a column of another name stands for elsewhere: accuracy, flops; "" where there is none."""
    word = re.match(r"there is no column '(\w+)'; columns: ", said)
    meant = meant_words(word[1], METRICS) or _nearly_meant(word[1].lower()) if word else []
    return f"did you mean {' or '.join(map(repr, meant))}?" if meant else ""


def _unknown_metric(query: str) -> str:
    """Return a note where an empty answer is no wonder: the query asks for a metric that there is not."""
    asked = re.findall(r"\bmetric\s*=\s*'(\w+)'", query)
    return "; ".join(
        f"no metric is called {name!r}: {hint_word(name, METRICS)}" for name in asked if name not in METRICS
    )


def _nearly_meant(word: str) -> list[str]:
    """Return the metrics that another tool's name, mistyped, stands for: acuracy."""
    others = [other for other, ours in SYNONYMS.items() if any(one in METRICS for one in ours)]
    return [one for other in difflib.get_close_matches(word, others, 1, 0.8) for one in meant_words(other, METRICS)]
