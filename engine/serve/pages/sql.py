"""SQL: takes a query, gives its rows, a place to write another, and what may be named in it; or a file of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from urllib.parse import urlencode

from engine.analysis.query import find_place_of, list_names
from engine.errors import QueryError, closest_hint
from engine.home.paths import Home
from engine.serve.query_runs import RUNS, SAVED_ROWS, SHOWN_ROWS
from engine.serve.view import Answer, Asked, Raw, View
from store.format import format_rows, is_number, show_value
from store.results import QueryResult

# Whose answer is a page of rows, as the words below the editor say.
EXAMPLES = {
    "How accurate each arm is": "select experiment, arm, cell, n, mean, low, high\nfrom cells\n"
    "where metric = 'test_top1'\norder by experiment, mean desc",
    "Accuracy against speed, run by run": "select run, arm, test_top1, infer_images_per_second\nfrom results\n"
    "order by arm",
    "A curve of each run": "select run, step, value\nfrom metrics\nwhere name = 'val_top1'\norder by run, step",
    "What jobs took": "select kind, count(*) as jobs, avg(seconds) as mean_seconds, max(seconds) as longest\n"
    "from jobs\ngroup by kind\norder by longest desc",
}
# The ending of a file and what a browser is told of it.
KINDS = {
    "csv": ("csv", "text/csv; charset=utf-8"),
    "json": ("json", "application/json"),
    "markdown": ("md", "text/markdown; charset=utf-8"),
    "latex": ("tex", "application/x-tex; charset=utf-8"),
    "parquet": ("parquet", "application/vnd.apache.parquet"),
}
Mark = tuple[int, int, int] | None


@dataclass(frozen=True)
class Cell:
    """A value as it is read, and as a number where it is one that can be drawn."""

    text: str
    number: float | None


@dataclass(frozen=True)
class Rows:
    """The first rows of an answer; `numbers` says of each column whether it has numbers."""

    columns: tuple[str, ...]
    numbers: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    is_cut: bool


@dataclass(frozen=True)
class Fault:
    """What is wrong with a query: the line as written, cut where the mistake is; `column` 0 where it is not known."""

    what: str
    fix: str
    line: int = 0
    column: int = 0
    before: str = ""
    meant: str = ""
    after: str = ""


@dataclass(frozen=True)
class SqlView:
    """What the page shows. `relations` has the columns of each table and view that a query may name."""

    query: str
    relations: Mapping[str, list[str]]
    trouble: str
    examples: Mapping[str, str]  # its name -> the words of its address
    files: Mapping[str, str]  # a format -> the words of its address
    answer: Rows | None = None
    fault: Fault | None = None
    most: int = SHOWN_ROWS
    most_saved: int = SAVED_ROWS


def show_sql(asked: Asked) -> View:
    """Return the page; a query is only asked for its part `answer`, so that the page comes at once. Word: `q`."""
    query = asked.word("q")
    relations, trouble = _relations(asked)
    examples = {name: urlencode({"q": text}) for name, text in EXAMPLES.items()}
    forms = [form for form in KINDS if form != "parquet" or find_spec("pyarrow")]
    files = {form: f"{form}?{urlencode({'q': query})}" for form in forms}
    answer, fault = None, None
    if query.strip() and asked.word("part") == "answer":
        try:
            answer = _show_rows(RUNS.ask(asked.home, query, asked.word("ticket")))
        except QueryError as error:
            fault = _show_fault(error, query)
    return View("sql", "SQL", SqlView(query, relations, trouble, examples, files, answer, fault))


def save_rows(asked: Asked) -> Raw:
    """Return the first SAVED_ROWS rows of `q` as a file of the format that the path names. Raises QueryError."""
    form = asked.path["form"]
    if form not in KINDS:
        raise QueryError(f"there is no format {form!r}", fix=closest_hint(form, KINDS))
    ending, kind = KINDS[form]
    if form == "parquet":
        return Raw(RUNS.save(asked.home, asked.word("q")), kind, f"answer.{ending}")
    text = format_rows(RUNS.ask(asked.home, asked.word("q"), most=SAVED_ROWS), form)
    return Raw(f"{text}\n".encode(), kind, f"answer.{ending}")


def cancel_query(asked: Asked) -> Answer:
    """End the query that the word `ticket` names."""
    if RUNS.cancel(asked.word("ticket")):
        return Answer("cancel: the query is asked to end")
    return Answer("cancel: this query does not run any more", is_good=False)


def _relations(asked: Asked) -> tuple[Mapping[str, list[str]], str]:
    mark = asked.site.results_mark()
    if mark is None:
        return {}, "There are no results yet: they are there to be asked as soon as a first job is done."
    try:
        return _read_names(asked.home, mark), ""
    except QueryError as error:
        return {}, str(error)


@lru_cache(maxsize=4)
def _read_names(home: Home, mark: Mark) -> Mapping[str, list[str]]:
    """Return what may be named in a published file; it is the same as long as the file is."""
    return dict(sorted(list_names(home).items()))


def _show_rows(result: QueryResult) -> Rows:
    rows = tuple(tuple(Cell(show_value(value), _number(value)) for value in row) for row in result.rows)
    return Rows(tuple(result.columns), tuple(map(is_number, result.types)), rows, result.truncated)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = float(value)
    return number if abs(number) < float("inf") else None


def _show_fault(error: QueryError, query: str) -> Fault:
    line, column = find_place_of(error)
    lines = query.split("\n")
    if not line or not column or line > len(lines):
        return Fault(error.what, error.fix)
    text, at = lines[line - 1], column - 1
    end = at + max(1, len(_word(text[at:])))
    return Fault(error.what, error.fix, line, column, text[:at], text[at:end], text[end:])


def _word(text: str) -> str:
    """The letters that a name or number begins with."""
    end = next((at for at, letter in enumerate(text) if not (letter.isalnum() or letter == "_")), len(text))
    return text[:end]
