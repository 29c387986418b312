"""Rows as text: what each format makes of each kind of value."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from store.format import FORMATS, WIDEST, format_rows
from store.results import QueryResult


def _odd_rows() -> QueryResult:
    columns, types = ["name", "value", "tree"], ["VARCHAR", "DOUBLE", "JSON"]
    rows = [("a|b_c", math.nan, '{"x":1}'), (None, math.inf, None), ("50 %\nmore", 1 / 3, "[1]")]
    return QueryResult(columns, types, rows)


def test_json_holds_null_where_a_number_is_none() -> None:
    rows = json.loads(format_rows(_odd_rows(), "json"), parse_constant=lambda word: pytest.fail(word))
    assert [row["value"] for row in rows] == [None, None, 1 / 3]
    assert rows[0]["tree"] == {"x": 1}


def test_csv_comes_back_exactly() -> None:
    rows = list(csv.reader(io.StringIO(format_rows(_odd_rows(), "csv"))))
    assert rows[0] == ["name", "value", "tree"]
    assert rows[3][0] == "50 %\nmore"
    assert float(rows[3][1]) == 1 / 3


def test_markdown_and_latex_escape_their_signs() -> None:
    assert r"a\|b_c" in format_rows(_odd_rows(), "markdown")
    assert r"a\textbar{}b\_c" in format_rows(_odd_rows(), "latex")
    assert r"50 \%" in format_rows(_odd_rows(), "latex")


def test_heads_are_escaped_and_cells_stay_on_their_line() -> None:
    odd = QueryResult(["x|y"], ["VARCHAR"], [("a\n\nb|c<d>",)])
    assert format_rows(odd, "markdown").splitlines() == [r"| x\|y |", "| --- |", r"| a  b\|c&lt;d> |"]
    assert r"a  b\textbar{}c\textless{}d\textgreater{} \\" in format_rows(odd, "latex").splitlines()


def test_column_that_is_called_like_a_numbered_one_is_kept_in_json() -> None:
    text = format_rows(QueryResult(["a", "a_3", "a", "a_2", "a"], ["INTEGER"] * 5, [(1, 2, 3, 4, 5)]), "json")
    assert sorted(json.loads(text)[0].values()) == [1, 2, 3, 4, 5]


def test_same_column_twice_is_kept_in_json() -> None:
    text = format_rows(QueryResult(["a", "a", "a"], ["INTEGER"] * 3, [(1, 2, 3)]), "json")
    assert json.loads(text) == [{"a": 1, "a_2": 2, "a_3": 3}]


@pytest.mark.parametrize("kind", list(FORMATS))
def test_empty_result_has_a_head_in_every_format(kind: str) -> None:
    text = format_rows(QueryResult(["arm"], ["VARCHAR"], []), kind)
    assert text == "[]" if kind == "json" else "arm" in text


def test_unknown_format_names_the_choices() -> None:
    with pytest.raises(ValueError, match="table, csv, json, markdown, latex"):
        format_rows(_odd_rows(), "xml")


def test_terminal_table_aligns_numbers_right_and_counts_rows() -> None:
    result = QueryResult(
        ["arm", "n", "mean"], ["VARCHAR", "UBIGINT", "DECIMAL(3,1)"], [("a", 1000, 0.5), ("long", 2, None)]
    )
    assert format_rows(result).splitlines() == [
        "arm      n  mean",
        "----  ----  ----",
        "a     1000   0.5",
        "long     2",
        "(2 rows)",
    ]


def test_rows_that_were_cut_off_are_told_and_one_row_is_one() -> None:
    assert format_rows(QueryResult(["a"], ["INTEGER"], [(1,)], True)).splitlines()[-1] == "(1 row, more were cut off)"
    assert format_rows(QueryResult(["a"], ["INTEGER"], [])).splitlines()[-1] == "(0 rows)"


def test_long_cell_is_cut_where_a_terminal_ends() -> None:
    rows = [("x" * WIDEST,), ("x" * (WIDEST + 1),), ("a\n  b",)]
    lines = format_rows(QueryResult(["a"], ["VARCHAR"], rows)).splitlines()
    assert lines[2:5] == ["x" * WIDEST, "x" * (WIDEST - 1) + "…", "a b"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456789, "0.123457"), (3.0, "3"), (-2.0, "-2"), (1e15, "1e+15"), (999999999999999.0, "999999999999999"),
        (math.inf, "inf"), (None, ""), (True, "true"), (b"\x0f", "0f"), ({"a": [1]}, '{"a": [1]}'),
        ((1, "ü"), '[1, "ü"]'), (Decimal("1.50"), "1.50"), (7, "7"),
    ],
)  # fmt: skip
def test_person_reads_a_value_as_short_as_it_goes(value: object, text: str) -> None:
    assert format_rows(QueryResult(["a"], ["VARCHAR"], [(value,)]), "table").splitlines()[2] == text


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (1.5, "DOUBLE", 1.5), (Decimal("1.5"), "DECIMAL(2,1)", 1.5), (Decimal("NaN"), "DECIMAL(2,1)", None),
        (datetime(2026, 1, 2, 3, 4), "TIMESTAMP", "2026-01-02T03:04:00"), (date(2026, 1, 2), "DATE", "2026-01-02"),
        (timedelta(minutes=1), "INTERVAL", 60.0), (b"\xff", "BLOB", "ff"), (True, "BOOLEAN", True),
        (None, "JSON", None), ('{"x":1}', "json", {"x": 1}), ('{"x":1}', "VARCHAR", '{"x":1}'),
        ([math.nan, 1.0], "DOUBLE[]", [None, 1.0]),
        ({1: math.inf}, "MAP", {"1": None}),
    ],
)  # fmt: skip
def test_json_carries_each_kind_of_value(value: object, kind: str, found: object) -> None:
    assert json.loads(format_rows(QueryResult(["a"], [kind], [(value,)]), "json")) == [{"a": found}]


def test_csv_holds_every_digit_and_empty_nulls() -> None:
    rows = [(None, 0.1 + 0.2, True), ('a,"b"', 3.0, False)]
    text = format_rows(QueryResult(["a", "b", "c"], ["VARCHAR", "DOUBLE", "BOOLEAN"], rows), "csv")
    assert text.splitlines() == ["a,b,c", ",0.30000000000000004,true", '"a,""b""",3.0,false']


def test_markdown_rules_numbers_to_the_right() -> None:
    result = QueryResult(["a", "b"], ["VARCHAR", "HUGEINT"], [("x", 1)])
    assert format_rows(result, "markdown").splitlines() == ["| a | b |", "| --- | ---: |", "| x | 1 |"]


def test_latex_is_a_booktabs_table() -> None:
    result = QueryResult(["a_b", "n"], ["VARCHAR", "FLOAT"], [("50 % ± 1", 0.5), ("x & \\y\nz", None)])
    assert format_rows(result, "latex").splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"a\_b & n \\",
        r"\midrule",
        r"50 \% $\pm$ 1 & 0.5 \\",
        r"x \& \textbackslash{}y z &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_every_format_ends_without_a_line_break() -> None:
    assert not any(format_rows(_odd_rows(), kind).endswith("\n") for kind in FORMATS)
