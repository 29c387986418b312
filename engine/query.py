"""`xp sql`: takes a query, gives the text to print and a note; turns the store's errors into ours."""

from __future__ import annotations

from engine.collect import collect
from engine.errors import QueryError
from engine.home import Home
from store.format import format_rows
from store.readonly import StoreError
from store.results import run_query


def answer_query(home: Home, query: str, style: str, *, fresh: bool = False) -> tuple[str, str]:
    """Return the formatted rows and a note (empty, or that rows were left off). Raises QueryError."""
    if fresh or not home.results_db.exists():
        collect(home, wait=60.0)
    try:
        result = run_query(home, query)
        text = format_rows(result, style)
    except StoreError as error:
        fix = "one read-only statement, such as: select arm, mean from cells where metric = 'test_top1'"
        raise QueryError(str(error), fix=fix) from error
    note = f"only the first {len(result.rows)} rows are shown; add a limit or a where" if result.truncated else ""
    return text, note
