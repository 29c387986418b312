"""Tables of a report, sorted and surveyed as an address asks."""

from __future__ import annotations

import math

import pytest

from engine.report.number_text import NONE
from engine.report.tables import Cell, Table
from engine.serve.tables import Order, lay_out, number_of, survey

TABLE = Table("first", ["arm", "kind", "top-1"], [
    [Cell("b (baseline)"), Cell("z"), Cell("61.2 ± 1.0")], [Cell("a"), Cell("y"), Cell(NONE)],
    [Cell("c"), Cell("x"), Cell("9.0")],
], words=2)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"), [("21.40 M ± 0.10 M", 21.4e6), ("+1.5 †", 1.5), ("\N{MINUS SIGN}0.5", -0.5), ("1,204", 1204.0)]
)
def test_a_finished_entry_has_its_number(text: str, value: float) -> None:
    assert number_of(text) == pytest.approx(value)


def test_what_is_no_number_has_none() -> None:
    assert math.isnan(number_of(NONE))


def test_numbers_sort_as_numbers_and_holes_come_last() -> None:
    up, down = (lay_out(TABLE, Order("top-1", is_down=way)) for way in (False, True))
    assert [line.arm for line in up.lines] == ["c", "b", "a"]
    assert [line.arm for line in down.lines] == ["b", "c", "a"]


def test_words_sort_as_words_and_unknown_columns_not_at_all() -> None:
    assert [line.arm for line in lay_out(TABLE, Order("kind")).lines] == ["c", "a", "b"]
    assert [line.arm for line in lay_out(TABLE, Order("nothing")).lines] == ["b", "a", "c"]


def test_a_click_goes_up_down_and_back() -> None:
    assert [Order().next_way("x"), Order("x").next_way("x"), Order("x", is_down=True).next_way("x")] == [
        "up",
        "down",
        "",
    ]


def test_a_survey_has_a_row_for_each_cell() -> None:
    other = Table("second", TABLE.columns, TABLE.rows[1:], words=2)
    found = survey([TABLE, other], "", 0, 1)
    assert (found.column, found.arms) == ("top-1", ["b", "a", "c"])
    assert found.rows == [("first", ["61.2 ± 1.0", NONE, "9.0"])]
    assert found.next == 1
    assert survey([TABLE, other], "top-1", 1, 5).rows == [("second", ["", NONE, "9.0"])]
