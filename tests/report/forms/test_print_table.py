"""Tables in LaTeX: numbers stand by their points, what is too long for a page is cut, marks are kept."""

from __future__ import annotations

import re

from engine.report.forms.print_table import MOST_ROWS, print_floats
from engine.report.number_text import NONE
from engine.report.tables import Cell, Table


def table(*texts: str, rows: int = 1, words: int = 1, is_best: bool = False, is_second: bool = False) -> Table:
    body = [[Cell(texts[0]), *(Cell(text, "", is_best, is_second) for text in texts[1:])] for _ in range(rows)]
    return Table("", [f"c{at}" for at in range(len(texts))], body, ["a note"], words)


def row(*texts: str, is_best: bool = False, is_second: bool = False) -> list[str]:
    made = table(*texts, is_best=is_best, is_second=is_second)
    return list(print_floats(made)[0].pieces[0].rows[0][0])


def test_a_number_is_cut_before_its_point() -> None:
    assert row("a", "60.3 ± 0.9 (n=3)", "-1,100", "21.40 M", NONE) == [
        "a", r"60 & .3~$\pm$ 0.9 (n=3)", "$-$1,100 & ", "21 & .40~M", r"\multicolumn{2}{c}{\textendash{}}",
    ]  # fmt: skip


def test_best_is_bold_and_second_underlined_without_its_spread() -> None:
    assert row("a", "60.3 ± 0.9", is_best=True)[1] == r"\textbf{60} & \textbf{.3}~$\pm$ 0.9"
    assert row("a", "60.3 ± 0.9", is_second=True)[1] == r"\underline{60} & \underline{.3}~$\pm$ 0.9"


def test_every_row_has_as_many_columns_as_its_tabular() -> None:
    for one in print_floats(table("a" * 70, *["60.3 ± 0.9 (n=3)"] * 9)):
        for piece in one.pieces:
            count = len(re.findall(r"[lr]|p\{", re.sub(r"@\{\}|>\{[^}]*\}", "", piece.columns)))
            assert {text.count(" & ") + 2 * text.count("multicolumn") for text in [" & ".join(piece.rows[0][0])]} == {
                count - 1
            }
            assert len(piece.heads) == len(piece.rows[0][0])
    assert ">{" in print_floats(table("a" * 70, "1"))[0].pieces[0].columns


def test_a_table_that_is_longer_than_a_page_goes_on_in_another_float() -> None:
    floats = print_floats(table("a", "1.0", rows=100))
    assert [one.part for one in floats] == [f"part {at} of {len(floats)}" for at in range(1, len(floats) + 1)]
    assert sum(len(piece.rows) for one in floats for piece in one.pieces) == 100
    assert all(sum(piece.size for piece in one.pieces) <= MOST_ROWS for one in floats)
    assert [list(one.notes) for one in floats] == [[], [], [], ["a note"]]
    assert len({one.label for one in floats}) == len(floats)


def test_columns_of_words_share_the_page_and_hold_their_longest_word() -> None:
    floats = print_floats(table("undecided", "a text of many words " * 20, "incomprehensibilities"), is_words=True)
    shares = [float(share) for share in re.findall(r"dimexpr ([\d.]+)", floats[0].pieces[0].columns)]
    assert len(shares) == 3
    assert sum(shares) <= 1.0
    assert shares[2] > 0.2
    assert shares[1] > shares[0]
