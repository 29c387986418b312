"""What is a query and what is none, and what an error says: without any database."""

from __future__ import annotations

import pytest

from store.readonly import FIRST_WORDS, StoreError, check_query, explain_error, find_place

NAMES = {"cells": ["arm", "mean", "metric"], "results": ["arm", "test_top1"], "runs": ["run"]}
NO_FILES = "results are read-only: a query may not read or write files or load extensions"


@pytest.mark.parametrize("word", FIRST_WORDS)
def test_every_word_that_begins_a_query_is_let_through(word: str) -> None:
    check_query(f"  -- a note\n /* more\n */ {word.upper()} 1", ["SELECT"])
    check_query(f"explain analyze {word} 1", ["EXPLAIN"])


@pytest.mark.parametrize(
    ("sql", "kinds", "message"),
    [
        ("", [], "the query is empty"),
        ("-- nothing", ["SELECT"], "the query is empty"),
        ("select 1; select 2", ["SELECT", "SELECT"], "one statement at a time: this has 2"),
        ("delete from jobs", ["SELECT"], "results are read-only: 'delete' is refused; start with one of select, with"),
        ("select 1", ["INSERT"], "results are read-only: 'select' is refused"),
        ("explain analyze delete from jobs", ["EXPLAIN"], "results are read-only: 'delete' is refused"),
    ],
)
def test_what_is_no_query_is_refused_with_its_word(sql: str, kinds: list[str], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        check_query(sql, kinds)


@pytest.mark.parametrize("kind", ["SELECT", "EXPLAIN", "MULTI"])
def test_each_kind_that_only_reads_is_let_through(kind: str) -> None:
    check_query("select 1", [kind])


@pytest.mark.parametrize(
    ("message", "sql", "said"),
    [
        ("Table with name cels does not exist!\nDid", "from cels", "there is no table 'cels'; nearest: cells"),
        ("Table with name qqq does not exist", "from qqq", "there is no table 'qqq'; tables: cells, results, runs"),
        ('Referenced column "men" not found', "select men from cells", "there is no column 'men'; nearest: mean"),
        (
            'Referenced column "run" not found', "select run from cells",
            "there is no column 'run' in cells: it is one of runs; text is written in single quotes: 'run'",
        ),
        (
            'Referenced column "zz" not found', 'select "zz" from RUNS',
            "there is no column 'zz'; text is written in single quotes: 'zz'; columns: run",
        ),
        ('column named "zz"', "select zz", "there is no column 'zz'; columns: arm, mean, metric, run, test_top1"),
        ("Error: file system operations are disabled by x", "", NO_FILES),
        ("loading external extensions is disabled", "", NO_FILES),
        ("needs external access", "", NO_FILES),
        ("Parser Error: syntax  error\nat LINE 1: x\n\nmore", "", "Parser Error: syntax error at"),
    ],
)  # fmt: skip
def test_error_is_one_line_with_the_nearest_names(message: str, sql: str, said: str) -> None:
    assert explain_error(message, NAMES, sql) == said


def test_long_message_is_cut_and_a_fix_is_kept() -> None:
    assert explain_error("x" * 500, NAMES) == "x" * 400
    assert (str(StoreError("what", "how")), StoreError("what", "how").fix, StoreError("what").fix) == (
        "what",
        "how",
        "",
    )


@pytest.mark.parametrize(
    ("told", "sql", "place"),
    [
        ("no\n\nLINE 2:   from\n          ^^^^", "select 1\n  from", (2, 3)),
        ("no\n\nLINE 1: ..., 1,  zzz, 2,...\n                 ^^^", "select 1, 1, 1,  zzz, 2, 2", (1, 18)),
        ("no\n\nLINE 1: what is not there\n             ^", "select 1", (1, 0)),
        ("no\n\nLINE 9: x\n        ^", "select 1", (9, 0)),
        ("a message without a place", "select 1", (0, 0)),
    ],
)
def test_a_message_points_at_its_place_in_the_query(told: str, sql: str, place: tuple[int, int]) -> None:
    assert find_place(told, sql) == place
