"""A report's tables for a live page: takes tables, gives rows with arms to choose, sorted as was asked."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.report.tables import Cell, Table

BASELINE, INTERVAL = " (baseline)", "95 % interval"
EDGES_NOTE = "In brackets below a mean: its 95 % interval over seeds."
NUMBER = re.compile("([+\\-\N{MINUS SIGN}]?[\\d,]*\\.?\\d+)(?: ([kMG])\\b)?")
SIZES = {"k": 1e3, "M": 1e6, "G": 1e9}


@dataclass(frozen=True)
class Line:
    """A row of a table of results: which arm it is, its cells, and the interval of its first figure."""

    arm: str
    cells: Sequence[Cell]
    edges: str = ""


@dataclass(frozen=True)
class Shown:
    """A table of results at one cell of the matrix, as it is laid out."""

    cell: str
    table: Table
    lines: Sequence[Line]

    @property
    def notes(self) -> list[str]:
        return [*([EDGES_NOTE] if any(line.edges for line in self.lines) else []), *self.table.notes]


@dataclass(frozen=True)
class Order:
    """The column that tables are sorted by, "" for as they are, and whether downwards."""

    column: str = ""
    is_down: bool = False

    def next_way(self, column: str) -> str:
        """Return what a click on a column asks for: up, down, and as it was."""
        if column != self.column:
            return "up"
        return "" if self.is_down else "down"

    def aria(self, column: str) -> str:
        if column != self.column:
            return "none"
        return "descending" if self.is_down else "ascending"


def lay_out(table: Table, order: Order) -> Shown:
    """Return a table with its rows in an order; what has no number comes last, whichever way."""
    lines = [Line(row[0].text.removesuffix(BASELINE), row, _edges(row, table.words)) for row in table.rows]
    if order.column in table.columns:
        at = list(table.columns).index(order.column)
        lines = _sorted(lines, at, order, is_word=at < table.words)
    return Shown(table.title, table, lines)


def _edges(row: Sequence[Cell], first: int) -> str:
    origin = row[first].origin if first < len(row) else None
    return "" if origin is None else origin.facts.get(INTERVAL, "").removesuffix(" %")


def _sorted(lines: Sequence[Line], at: int, order: Order, *, is_word: bool) -> list[Line]:
    if is_word:
        return sorted(lines, key=lambda line: line.cells[at].text.casefold(), reverse=order.is_down)
    sign = -1 if order.is_down else 1

    def place(line: Line) -> tuple[bool, float]:
        value = number_of(line.cells[at].text)
        return math.isnan(value), 0.0 if math.isnan(value) else sign * value

    return sorted(lines, key=place)


def number_of(text: str) -> float:
    """Return the number that a finished entry begins with, 21.4e6 of `21.40 M ± 0.10 M`; NaN where there is none."""
    found = NUMBER.match(text)
    if found is None:
        return math.nan
    return float(found[1].replace(",", "").replace("\N{MINUS SIGN}", "-")) * SIZES.get(found[2] or "", 1)


@dataclass(frozen=True)
class Overview:
    """One column of all tables at once: a row for each cell of the matrix, a column for each arm."""

    column: str
    columns: Sequence[str]  # that can be chosen
    arms: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    first: int
    all: int

    @property
    def next(self) -> int | None:
        """Where the rows after these begin."""
        end = self.first + len(self.rows)
        return end if end < self.all else None


def survey(tables: Sequence[Table], column: str, first: int, most: int) -> Overview:
    """Return `most` rows from `first` on of a column that was asked for, by default the first with numbers."""
    columns = list(dict.fromkeys(name for table in tables for name in table.columns[table.words :]))
    chosen = column if column in columns else next(iter(columns), "")
    arms = list(dict.fromkeys(row[0].text.removesuffix(BASELINE) for table in tables for row in table.rows))
    rows = [(table.title, _texts(table, chosen, arms)) for table in tables[first : first + most]]
    return Overview(chosen, columns, arms, rows, first, len(tables))


def _texts(table: Table, column: str, arms: Sequence[str]) -> list[str]:
    at = list(table.columns).index(column) if column in table.columns else None
    found = {} if at is None else {row[0].text.removesuffix(BASELINE): row[at].text for row in table.rows}
    return [found.get(arm, "") for arm in arms]
