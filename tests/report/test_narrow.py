"""Wide tables in pieces: each fits, none loses a column, and all have the arm's name."""

from __future__ import annotations

from engine.report.narrow import narrow_tables
from engine.report.tables import Cell, Table

COLUMNS = ("arm", "teacher", "test top-1 [%]", "peak host memory (RSS) [MB]", "params")
ROW = ("longformer_pruned", "convnextv2_huge", "60.0 ± 1.2 (n=3)", "901", "21.00 M")
TABLE = Table("t", COLUMNS, [[Cell(text) for text in ROW]], ["note"], words=2)


def texts(piece: Table) -> list[str]:
    return [cell.text for cell in piece.rows[0]]


def test_pieces_hold_every_column_once_and_the_first_in_each() -> None:
    pieces = narrow_tables(TABLE, 40)
    assert all(texts(piece)[0] == ROW[0] for piece in pieces)
    assert [text for piece in pieces for text in texts(piece)[1:]] == list(ROW[1:])
    assert len(pieces) > 1
    assert all(piece.notes == TABLE.notes for piece in pieces)


def test_no_piece_is_wider_than_its_column() -> None:
    for most in (40, 56, 100):
        for piece in narrow_tables(TABLE, most):
            heads = [max(map(len, head.split("\n"))) for head in piece.columns]
            wide = [max(head, len(text)) for head, text in zip(heads, texts(piece), strict=True)]
            assert sum(wide) + 1.5 * len(wide) <= most or len(wide) == 2


def test_a_table_that_fits_is_whole_with_its_headings_in_lines() -> None:
    (whole,) = narrow_tables(TABLE, 200)
    assert whole.columns[3] == "peak\nhost\nmemory\n(RSS)\n[MB]"
    assert [head.replace("\n", " ") for head in whole.columns] == list(COLUMNS)
    assert whole.words == 2
    assert [piece.words for piece in narrow_tables(TABLE, 30)] == [2, 1, 1, 1]


def test_a_first_column_alone_is_one_piece() -> None:
    assert len(narrow_tables(Table("", ["arm"], [[Cell("a" * 99)]]))) == 1
