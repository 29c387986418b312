"""Rows as text: takes the result of a query, gives a table, CSV, JSON, Markdown or LaTeX."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from store.escape import escape_markdown, escape_tex, show_json
from store.readonly import StoreError
from store.results import QueryResult

# How DuckDB's names of numbers begin: one may go on, as DECIMAL(18,3).
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
WIDEST = 100  # characters of a cell that a terminal table shows


def format_rows(result: QueryResult, kind: str = "table") -> str:
    """Return the rows in one of the kinds of FORMATS, without a last line break. Raises StoreError for another kind."""
    if kind not in FORMATS:
        raise StoreError(f"there is no format {kind!r}; choose one of {', '.join(FORMATS)}")
    return FORMATS[kind](result).rstrip("\n")


def _table(result: QueryResult) -> str:
    rows = [[_cut(show_value(value)) for value in row] for row in result.rows]
    widths = [max([len(name), *(len(row[at]) for row in rows)]) for at, name in enumerate(result.columns)]
    is_right = [is_number(kind) for kind in result.types]
    lines = [_pad(result.columns, widths, is_right), "  ".join("-" * width for width in widths)]
    lines += [_pad(row, widths, is_right) for row in rows]
    count = f"({len(rows)} row{'s' * (len(rows) != 1)}{', more were cut off' if result.truncated else ''})"
    return "\n".join([*lines, count]) + "\n"


def _pad(row: list[str], widths: list[int], is_right: list[bool]) -> str:
    cells = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(row, widths, is_right, strict=True)
    )
    return "  ".join(cells).rstrip()


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= WIDEST else flat[: WIDEST - 1] + "…"


def _csv(result: QueryResult) -> str:
    return csv_head(result.columns) + csv_rows(result.rows)


def csv_head(columns: Sequence[str]) -> str:
    """Return the first line of CSV."""
    return _csv_lines([columns])


def csv_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Return the lines of rows; nulls are empty."""
    return _csv_lines([["" if value is None else _exact(value) for value in row] for row in rows])


def _csv_lines(lines: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue()


def _json(result: QueryResult) -> str:
    """Return a list of objects; numbers that JSON has no word for (NaN, infinities) become null.

    What could steer a terminal is escaped, as JSON allows for any character.
    """
    keys = _unique(result.columns)
    kinds = result.types
    rows = [
        {key: _plain(value, kind) for key, value, kind in zip(keys, row, kinds, strict=True)} for row in result.rows
    ]
    return show_json(json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def _markdown(result: QueryResult) -> str:
    rule = ["---:" if is_number(kind) else "---" for kind in result.types]
    rows = [[escape_markdown(show_value(value)) for value in row] for row in result.rows]
    head = [escape_markdown(name) for name in result.columns]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *rows])


def _latex(result: QueryResult) -> str:
    """Return a booktabs table; \\usepackage{booktabs}."""
    columns = "".join("r" if is_number(kind) else "l" for kind in result.types)
    body = [" & ".join(_set(show_value(value)) for value in row) + r" \\" for row in result.rows]
    head = " & ".join(map(_set, result.columns)) + r" \\"
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _set(text: str) -> str:
    return escape_tex(" ".join(text.splitlines()))


def is_number(kind: str) -> bool:
    """Whether a DuckDB type is one of numbers."""
    # Unsigned kinds begin with a U.
    return kind.upper().lstrip("U").startswith(NUMBERS)


def show_value(value: Any) -> str:
    """Return a value as a person reads it: floats with six digits, whole numbers whole."""
    if value is None:
        return ""
    if isinstance(value, float) and math.isfinite(value):
        # Below 1e15 a float holds every whole number exactly.
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"
    return _exact(value)


def _exact(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list | tuple):
        return json.dumps(_plain(value), ensure_ascii=False)
    return value.hex() if isinstance(value, bytes) else str(value)


def _plain(value: Any, kind: str = "") -> Any:
    """Return what JSON can carry: JSON columns as themselves, times as ISO text, bytes as hexadecimal."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if kind.upper() == "JSON" and isinstance(value, str):
        return json.loads(value)
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else None
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | str) else _other(value)


def _other(value: Any) -> str | float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.hex() if isinstance(value, bytes) else str(value)


def _unique(names: list[str]) -> list[str]:
    """Number names that come again, so that an object keeps them all."""
    keys: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        keys.append(name if name not in keys else next(key for key in numbered if key not in {*keys, *names}))
    return keys


FORMATS: dict[str, Callable[[QueryResult], str]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "markdown": _markdown,
    "latex": _latex,
}
