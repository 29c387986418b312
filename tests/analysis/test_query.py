"""One query and its answer: formats, bounds, fresh rows, and the store's errors as ours."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.analysis import query
from engine.analysis.query import answer_query, ask_file, list_names
from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.errors import QueryError
from engine.home.paths import Home
from store.readonly import StoreError
from tests.helpers.queueing import make_home
from tests.helpers.synthetic import Arm, SyntheticHome


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was collected and asked; the answer has two rows and was cut."""
    made: list[Any] = []
    monkeypatch.setattr(query, "collect", lambda home, wait: made.append(("collect", wait)))
    result = SimpleNamespace(rows=[(1,), (2,)], truncated=True)

    def run(_home: Home, text: str, **bounds: Any) -> Any:
        made.append((text, bounds))
        return result

    monkeypatch.setattr(query, "run_query", run)
    monkeypatch.setattr(query, "format_rows", lambda found, style: f"{len(found.rows)} as {style}")
    monkeypatch.setattr(query, "read_names", lambda home: {"cells": ["mean"]})
    return made


def test_a_query_is_asked_within_its_bounds(home: Home, calls: list[Any]) -> None:
    home.results_db.touch()
    text, note = answer_query(home, "select 1", "csv", most=2, seconds=3.0)
    assert (text, note) == ("2 as csv", "only the first 2 rows are shown; --limit N shows more")
    answer_query(home, "select 1", "csv")
    assert calls == [
        ("select 1", {"limit": 2, "seconds": 3.0, "begun": None}),
        ("select 1", {"limit": 10_000, "seconds": 120.0, "begun": None}),
    ]  # fmt: skip


def test_rows_are_taken_in_first_where_there_are_none_or_fresh_ones_are_asked(home: Home, calls: list[Any]) -> None:
    answer_query(home, "x", "csv")
    list_names(home)
    home.results_db.touch()
    answer_query(home, "x", "csv", fresh=True)
    list_names(home, fresh=True)
    assert list_names(home) == {"cells": ["mean"]}
    assert [call for call in calls if call[0] == "collect"] == [("collect", 60.0)] * 4


def test_a_whole_answer_has_no_note(home: Home, calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "run_query", lambda *_, **__: SimpleNamespace(rows=[], truncated=False))
    assert answer_query(home, "x", "csv") == ("0 as csv", "")


@pytest.mark.parametrize(
    ("fix", "said"), [("do this", "do this"), ("", "one read-only statement, such as: select arm")]
)
def test_an_error_of_the_store_keeps_its_fix_or_gets_one(
    home: Home, calls: list[Any], monkeypatch: pytest.MonkeyPatch, fix: str, said: str
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StoreError("it is wrong", fix=fix)

    monkeypatch.setattr(query, "run_query", fail)
    with pytest.raises(QueryError) as caught:
        answer_query(home, "x", "csv")
    assert caught.value.what == "it is wrong"
    assert caught.value.fix.startswith(said)


def test_an_unknown_format_is_told_before_anything_is_asked(home: Home, calls: list[Any]) -> None:
    with pytest.raises(QueryError, match=r"(?s)no format 'jsn'.*did you mean 'json'"):
        answer_query(home, "x", "jsn")
    assert calls == []


def test_a_query_in_a_file_gives_rows_by_name_and_mistakes_their_place(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    made.experiment("paper", {"a": Arm()}, seeds=(0,))
    collect(made.home)
    file = tmp_path / "own.sql"
    with one_snapshot(made.home) as snapshot:
        file.write_text("select arm, $name as name from results")
        assert ask_file(snapshot, file, {"name": "paper"}) == [{"arm": "a", "name": "paper"}]
        file.write_text("select\n\n ram from results")
        with pytest.raises(QueryError, match=r"own.sql:3: there is no column 'ram'"):
            ask_file(snapshot, file, {})
        file.write_text("from range(10001)")
        with pytest.raises(QueryError, match="more than 10,000 rows"):
            ask_file(snapshot, file, {})
        file.write_bytes(b"select '\xff'")
        with pytest.raises(QueryError, match="UTF-8"):
            ask_file(snapshot, file, {})


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("there is no table 'runz'; nearest: runs, run_jobs", "did you mean runs or run_jobs?"),
        ("the query is empty", query.ONE_STATEMENT),
        ("there is no column 'acuracy'; columns: arm, run", "did you mean 'test_top1'?"),
        ("there is no column 'qqq'; columns: arm, run", query.ONE_STATEMENT),
    ],
)
def test_a_fix_names_the_nearest_where_there_is_one(
    said: str, fix: str, home: Home, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreError(said)

    home.results_db.touch()
    monkeypatch.setattr(query, "run_query", refuse)
    with pytest.raises(QueryError) as caught:
        answer_query(home, "select", "csv")
    assert (caught.value.what, caught.value.fix) == (said, fix)
