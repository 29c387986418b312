"""Tables for one column of a printed page: takes a finished table, gives narrower ones with the same first column.

Widths are counted in letters of small print: 240 pt at 4.25 pt a letter, and half a letter's room on either side.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from engine.report.tables import Table

MOST_LETTERS = 56.0
MOST_WORDS = 22  # letters of a column of words that stand on one line; longer ones break
GAP = 1.5
LEAST_HEADING = 8


def narrow_tables(table: Table, most: float = MOST_LETTERS) -> list[Table]:
    """Return the table in pieces that each fit a column of `most` letters, headings broken into lines.

    A piece has the first column and at least one more, also where that is too wide.
    """
    return [_piece(table, columns) for columns in _pieces(table, most)]


def _pieces(table: Table, most: float) -> Iterator[list[int]]:
    """Yield the places of the columns of each piece, as many as fit."""
    first, rest = _width(table, 0), range(1, len(table.columns))
    held, used = [0], first
    for place in rest:
        wide = _width(table, place)
        if len(held) > 1 and used + wide > most:
            yield held
            held, used = [0], first
        held, used = [*held, place], used + wide
    yield held


def _piece(table: Table, places: list[int]) -> Table:
    columns = ["\n".join(_lines(table, place)) for place in places]
    rows = [[row[place] for place in places] for row in table.rows]
    words = sum(place < table.words for place in places)
    return replace(table, columns=columns, rows=rows, words=words)


def _lines(table: Table, place: int) -> list[str]:
    """Return a heading in lines hardly wider than what stands below it."""
    heading = table.columns[place]
    longest = max((len(word) for word in heading.split()), default=0)
    below = _longest(table, place)
    wide = max(min(below, MOST_WORDS) if place < table.words else below, longest, LEAST_HEADING)
    return textwrap.wrap(heading, wide, break_long_words=False, break_on_hyphens=False) or [""]


def _longest(table: Table, place: int) -> int:
    return max((len(row[place].text) for row in table.rows), default=0)


def _width(table: Table, place: int) -> float:
    longest = max(_longest(table, place), *map(len, _lines(table, place)))
    return (min(longest, MOST_WORDS) if place < table.words else longest) + GAP
