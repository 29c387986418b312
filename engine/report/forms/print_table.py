"""A table as LaTeX sets it: takes a finished table, gives floats of columns and rows that fit a column of print.

Numbers stand one below the other by their decimal points: what is before the point ends one column of LaTeX, the rest
begins the next. So bold and underlined numbers stand in line too, and nothing but booktabs and array is needed.
Texts that are long, and tables of words, get columns of fixed width whose lines break.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.report.narrow import LEAST_HEADING, MOST_WORDS, narrow_tables
from engine.report.tables import Cell, Table
from store.tex_text import break_tex, to_tex

MOST_ROWS = 36  # of one float, headings counted: what a page of small print holds beside a caption and notes
HEAD_ROWS = 3
ROW_GAP = 0.5  # lines between two rows of words
LINE = 72.0  # letters of small print in a line of a page of one column, the narrowest that a table of words may meet
WIDE = 80.0  # letters of a table of numbers in such a line, 345 pt; over both columns of a page of two there is more
NUMBER = re.compile(r"(?P<whole>[-+]?[\d,]+)(?P<rest>(\.\d+)?)(?P<tail>.*)", re.DOTALL)


@dataclass(frozen=True)
class Printed:
    """One tabular: the columns as LaTeX names them, its headings, and its rows with where their numbers are from.

    `size` is its height in lines, those of broken texts counted.
    """

    columns: str
    heads: Sequence[str]
    rows: Sequence[tuple[Sequence[str], str]]
    size: int


@dataclass(frozen=True)
class Float:
    """The tabulars that stand under one caption; `part` tells it from others of its table, `notes` are the last's.

    `is_wide`: over all columns of the page.
    """

    pieces: Sequence[Printed]
    part: str
    label: str
    notes: Sequence[str]
    is_wide: bool = False


def print_floats(table: Table, is_words: bool = False) -> list[Float]:
    """Return the table as floats that each fit a page.

    One of words alone, or whose numbers are too many for a column of print, is as wide as the page's text.
    """
    is_wide = is_words or len(narrow_tables(table)) > 1
    cut = [part for piece in _columns_of(table, is_words) for part in _rows_of(piece)]
    groups = list(_grouped([_print_words(part) if is_words else _print_numbers(part) for part in cut]))
    last = len(groups) - 1
    return [
        Float(
            group,
            f"part {at + 1} of {last + 1}" if last else "",
            f"-{at + 1}" if at else "",
            table.notes if at == last else (),
            is_wide,
        )
        for at, group in enumerate(groups)
    ]


def _columns_of(table: Table, is_words: bool) -> list[Table]:
    if is_words:
        return [_some_columns(table, held) for held in _word_pieces(table)]
    narrow = narrow_tables(table)
    return narrow if len(narrow) == 1 else narrow_tables(table, WIDE)


def _word_pieces(table: Table) -> Iterator[list[int]]:
    """Yield the places of the columns of each piece: the first, and as many more as have room for their words."""
    needs = [_need(table, place) for place in range(len(table.columns))]
    held = [0]
    for place in range(1, len(table.columns)):
        if len(held) > 1 and sum(needs[one] for one in held) + needs[place] > 1:
            yield held
            held = [0]
        held.append(place)
    yield held


def _some_columns(table: Table, places: Sequence[int]) -> Table:
    rows = [[row[place] for place in places] for row in table.rows]
    return replace(table, columns=[table.columns[place] for place in places], rows=rows)


def _need(table: Table, place: int) -> float:
    """Return the share of a line that the longest word of a column takes."""
    longest = max(len(word) for text in _texts_of(table, place) for word in _words_of(text))
    return max(LEAST_HEADING, longest + 2) / LINE


def _texts_of(table: Table, place: int) -> list[str]:
    return [table.columns[place], *(row[place].text for row in table.rows)]


def _rows_of(table: Table) -> Iterator[Table]:
    """Yield the table in pieces of as many rows as a page holds; one without rows is a piece, too."""
    most = MOST_ROWS - HEAD_ROWS
    for start in range(0, max(1, len(table.rows)), most):
        yield replace(table, rows=table.rows[start : start + most])


def _grouped(pieces: Sequence[Printed]) -> Iterator[list[Printed]]:
    held: list[Printed] = []
    for piece in pieces:
        if held and sum(one.size for one in held) + piece.size > MOST_ROWS:
            yield held
            held = []
        held.append(piece)
    yield held


def _print_numbers(table: Table) -> Printed:
    """The first columns are words, the others numbers that stand by their points."""
    words = [_word_column(table, place) for place in range(table.words)]
    columns = "".join([*words, *("r@{}l" for _ in table.columns[table.words :])])
    heads = [
        _stack(text, "l") if place < table.words else rf"\multicolumn{{2}}{{c}}{{{_stack(text, 'c')}}}"
        for place, text in enumerate(table.columns)
    ]
    height = sum(max(_lines(cell.text, MOST_WORDS) for cell in row[: table.words]) for row in table.rows)
    size = 2 + max(text.count("\n") + 1 for text in table.columns) + height
    return Printed(columns, heads, [(_number_row(row, table.words), row[0].source) for row in table.rows], size)


def _word_column(table: Table, place: int) -> str:
    longest = max((len(row[place].text) for row in table.rows), default=0)
    return "l" if longest <= MOST_WORDS else rf">{{\raggedright\arraybackslash}}p{{{MOST_WORDS * 4.4:.0f}pt}}"


def _number_row(row: Sequence[Cell], words: int) -> list[str]:
    return [_word(cell) if place < words else _number(cell) for place, cell in enumerate(row)]


def _word(cell: Cell) -> str:
    return _marked(cell, break_tex(cell.text))


def _number(cell: Cell) -> str:
    """Return both columns of a number, or one text over both."""
    found = NUMBER.fullmatch(cell.text)
    if found is None:
        return rf"\multicolumn{{2}}{{c}}{{{_marked(cell, to_tex(cell.text))}}}"
    whole, rest = (_marked(cell, to_tex(found[name])) for name in ("whole", "rest"))
    gap = "~" if found["tail"].startswith(" ") else ""
    return f"{whole} & {rest}{gap}{to_tex(found['tail'])}"


def _marked(cell: Cell, text: str) -> str:
    if not text:
        return ""
    return rf"\textbf{{{text}}}" if cell.is_best else rf"\underline{{{text}}}" if cell.is_second else text


def _print_words(table: Table) -> Printed:
    """All columns have a share of the width that follows from what stands in them; their lines break."""
    shares = _shares(table)
    columns = "".join(
        rf">{{\raggedright\arraybackslash}}p{{\dimexpr {share:.3f}\linewidth-2\tabcolsep\relax}}" for share in shares
    )
    heads = [break_tex(text) for text in table.columns]
    wide = [max(1, int(share * LINE)) for share in shares]
    height = sum(
        max(_lines(cell.text, most) for cell, most in zip(row, wide, strict=True)) + ROW_GAP for row in table.rows
    )
    rows = [([_word(cell) for cell in row], row[0].source) for row in table.rows]
    return Printed(columns, heads, rows, HEAD_ROWS + int(height))


def _lines(text: str, most: int) -> int:
    """Return how many lines of `most` letters a text takes, at least one; a line is seldom filled to its end."""
    return 1 if len(text) <= most else 1 + int(1.2 * len(text)) // most


def _shares(table: Table) -> list[float]:
    """Return the width of each column as a share: by the root of its longest text, and room for its longest word."""
    places = range(len(table.columns))
    needs = [_need(table, place) for place in places]
    roots = [max(LEAST_HEADING, *map(len, _texts_of(table, place))) ** 0.5 for place in places]
    tight = [need > root / sum(roots) for need, root in zip(needs, roots, strict=True)]
    rest = 1 - sum(need for need, is_tight in zip(needs, tight, strict=True) if is_tight)
    loose = sum(root for root, is_tight in zip(roots, tight, strict=True) if not is_tight) or 1.0
    shares = [
        need if is_tight else max(need, rest * root / loose)
        for need, root, is_tight in zip(needs, roots, tight, strict=True)
    ]
    return [0.995 * share / max(1.0, sum(shares)) for share in shares]


def _words_of(text: str) -> list[str]:
    """Return the pieces between which a line may break, one at least."""
    return re.split(r"[\s_/]|(?<=[A-Za-z])[.=,]", text)


def _stack(text: str, side: str) -> str:
    """Set the lines of a heading one above the other."""
    lines = [to_tex(line) for line in text.split("\n")]
    stacked = r" \\{} ".join(lines)  # a line may begin with a bracket, which \\ would take for a length
    return stacked if len(lines) == 1 else rf"\shortstack[{side}]{{{stacked}}}"
