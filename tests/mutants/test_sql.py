"""Mutants of SQL: which words and signs are changed, and what of a schema is left alone."""

from __future__ import annotations

import pytest

from tests.mutants.sql import sql_mutants
from tests.mutants.texts import apply_mutant


def results(source: str) -> list[str]:
    return [apply_mutant(source, mutant) for mutant in sql_mutants("a.sql", source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ["a <= b"]),
        ("a <> b and c", ["a = b and c", "a <> b or c"]),
        ("order by x desc", ["order by x asc"]),
        ("select min(minimum)", ["select max(minimum)"]),
        ("a left join b", ["a join b"]),
        ("x is  not null", ["x is null"]),
        ("where role = 'it''s'", ["where not role = 'it''s'", "where role <> 'it''s'", "where role = 'it''s_'"]),
        ("limit 3", ["limit 4"]),
    ],
)
def test_each_word_is_changed_once(source: str, expected: list[str]) -> None:
    assert results(source) == expected


def test_the_and_of_between_stays() -> None:
    assert results("a between b and c and d") == ["a between b and c or d"]


@pytest.mark.parametrize("source", ["-- it's 1 < 2", 'select "a = 1", $a_1', "create table t (a varchar(3), b = 2)"])
def test_comments_names_and_tables_stay(source: str) -> None:
    assert results(source) == []


def test_scope_is_the_view() -> None:
    source = "create table t (a int);\ncreate view v as select a < 1;"
    assert {mutant.scope for mutant in sql_mutants("a.sql", source)} == {"v"}
