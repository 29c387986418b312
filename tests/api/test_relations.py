"""`xp.results`, `cells`, `curves` and `sql`: a row for each run, metric or epoch, in the format that is asked for."""

from __future__ import annotations

from typing import Any, cast

import pytest

from engine import api
from engine.errors import QueryError, XpError
from engine.home.paths import Home
from tests.helpers.packages import has


def test_a_row_for_each_run_with_the_figures_that_any_has(results: Home) -> None:
    rows = api.results("paper", results, format="rows")
    assert [(row["arm"], row["seed"]) for row in rows] == [
        (arm, seed) for arm in ("a", "b", "odd") for seed in range(3)
    ]
    (stored,) = api.sql(f"select test_top1 from results where run = '{rows[0]['run']}'", results)
    assert rows[0]["test_top1"] == stored["test_top1"]
    assert "params" in rows[0]
    assert "infer_energy" not in rows[0], "no run has one"


def test_several_experiments_come_in_the_order_asked(results: Home) -> None:
    rows = api.results(["more", "paper"], results.root, metrics=["val_loss", "infer_energy"], format="rows")
    assert [row["experiment"] for row in rows] == ["more"] + ["paper"] * 9
    assert list(rows[0])[-2:] == ["val_loss", "infer_energy"]


def test_cells_have_mean_and_interval(results: Home) -> None:
    rows = {(row["arm"], row["metric"]): row for row in api.cells("paper", results, format="rows")}
    told = rows["a", "test_top1"]
    assert told["n"] == 3
    assert told["low"] < told["mean"] < told["high"]


def test_curves_have_a_row_for_each_epoch(results: Home) -> None:
    rows = api.curves("paper", "val_top1", results, format="rows")
    assert [(row["arm"], row["seed"], row["epoch"]) for row in rows[:4]] == [
        ("a", 0, 0),
        ("a", 0, 1),
        ("a", 0, 2),
        ("a", 1, 0),
    ]
    assert {row["role"] for row in rows} == {"student"}
    assert all(0 < row["value"] < 1 for row in rows)


@has("pandas", "pyarrow")
def test_every_format_says_the_same(results: Home) -> None:
    rows = api.results("paper", results, metrics=["test_top1"], format="rows")
    frame = api.results("paper", results, metrics=["test_top1"])
    assert frame["test_top1"].tolist() == [row["test_top1"] for row in rows]
    assert list(frame.columns) == list(rows[0])
    assert api.results("paper", results, metrics=["test_top1"], format="arrow").to_pylist() == rows
    assert len(api.cells("paper", results)) == len(api.cells("paper", results, format="rows"))


def test_without_pandas_the_extra_is_named(results: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.api.relations.find_spec", lambda _: None)
    with pytest.raises(XpError, match="needs pandas") as said:
        api.results("paper", results)
    assert said.value.fix.startswith("pip install 'xp-engine[notebook]'")
    assert api.results("paper", results, format="rows")


@pytest.mark.parametrize(
    ("ask", "what", "fix"),
    [
        (lambda home: api.results("papre", home), "no experiment 'papre'", "paper"),
        (lambda home: api.results("paper", home, metrics=["test_top2"]), "no metric 'test_top2'", "test_top1"),
        (lambda home: api.results("paper", home, format=cast("Any", "panda")), "no format 'panda'", "pandas"),
        (lambda home: api.curves("paper", "val_top2", home), "has logged 'val_top2'", "val_top1"),
    ],
)
def test_a_slip_is_told_with_the_nearest_word(results: Home, ask: Any, what: str, fix: str) -> None:
    with pytest.raises(XpError, match=what) as said:
        ask(results)
    assert fix in said.value.fix


def test_rows_come_by_name(results: Home) -> None:
    rows = api.sql("select arm, count(*) as n from results where experiment <> 'more' group by all order by 1", results)
    assert rows == [{"arm": "a", "n": 3}, {"arm": "b", "n": 3}, {"arm": "odd", "n": 3}]


def test_cut_answer_is_refused(results: Home) -> None:
    assert len(api.sql("from runs", results, limit=10)) == 10
    with pytest.raises(QueryError, match="more than 9 rows"):
        api.sql("from runs", results, limit=9)


def test_two_columns_of_one_name_are_refused(results: Home) -> None:
    with pytest.raises(QueryError, match="two columns are called 'run'"):
        api.sql("select arm, run, run from runs", results)


def test_fresh_rows_are_taken_in_when_asked(results: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("engine.analysis.query.collect", lambda home, wait: calls.append(home))
    api.sql("select 1 as x", results)
    assert calls == []
    api.sql("select 1 as x", results, fresh=True)
    assert calls == [results]
