"""The best trial beside its neighbours, and beside its fresh seeds: numbers by hand."""

from __future__ import annotations

from typing import Any

import pytest

from engine.report.search_best import find_luck
from engine.report.sheet import Sheet
from tests.report.rows import T_QUANTILES, run_row
from tests.report.searching import final_runs, gathered, searched_rows, section, trial_row, trials_of
from tests.report.test_searches import column, texts

DRAWS = [1e-3, 1e-4, 2e-3, 1e-2]
ROWS = [trial_row("a", at, value, drawn={"train.lr": DRAWS[at]}) for at, value in enumerate([0.7, 0.5, 0.6, 0.4])]


def test_best_stands_first_and_the_nearest_below_it() -> None:
    table = section(ROWS).tables[2]
    assert table.title == "Near the best: a"
    assert column(table, "trial") == ["a-t000", "a-t002", "a-t001", "a-t003"]
    assert column(table, "distance") == ["best", "0.050", "0.167", "0.167"]
    assert column(table, "val top-1 [%]") == ["70.00", "60.00", "50.00", "40.00"]
    assert column(table, "train.lr") == ["0.001", "0.002", "0.0001", "0.01"]
    assert column(table, "student.attention.radius") == [""] * 4, "not drawn"


def test_gap_is_to_the_median_of_the_nearest() -> None:
    assert any("the best is 20.00 points better than the median of the 3 trials nearest" in line
               for line in section(ROWS).sentences)  # fmt: skip


def test_front_is_listed_by_its_first_metric() -> None:
    figures = [(0.5, 90), (0.7, 200), (0.55, 120), (0.6, 100)]
    rows = [trial_row("a", at, value, figures={"macs": macs}) for at, (value, macs) in enumerate(figures)]
    table = section(rows, metric=["val_top1", "macs"]).tables[2]
    assert table.title == "Front: a"
    assert column(table, "trial") == ["a-t001", "a-t003", "a-t000"]


def luck(*values: float, **more: Any) -> Any:
    parts: dict[str, Any] = {"finals": {"a-best": ("a", 0)}, "runs": final_runs("a-best", *values), **more}
    (found,) = find_luck(Sheet(searched_rows(ROWS, **parts)), gathered(ROWS, **parts))
    return found


def test_difference_and_interval_are_those_of_fresh_seeds() -> None:
    found = luck(0.60, 0.62, 0.64)
    half = T_QUANTILES[2] * 0.02 / 3**0.5
    assert found.gap == pytest.approx(0.08)
    assert found.edges == pytest.approx((0.08 - half, 0.08 + half))
    assert found.word == "search_flattered"


@pytest.mark.parametrize(
    ("values", "word"),
    [((0.6,), "search_one_seed"), ((0.6, 0.6), "search_same"), ((0.6, 0.8, 0.7), "search_luck_open"),
     ((0.8, 0.81, 0.805), "search_humble")],
)  # fmt: skip
def test_no_more_is_said_than_the_seeds_allow(values: tuple[float, ...], word: str) -> None:
    assert luck(*values).word == word


def test_less_is_better_turns_the_verdict() -> None:
    assert luck(0.8, 0.81, 0.805, direction="min").word == "search_flattered"


def test_the_final_of_a_front_is_of_its_own_trial() -> None:
    rows = [trial_row("a", at, value, figures={"macs": 100 + at}) for at, value in enumerate((0.5, 0.7))]
    runs = [run_row(f"a-best-00{at}", 1, test_top1=0.5, val_top1=0.4, macs=100 + at) for at in range(2)]
    found = section(
        rows, metric=["val_top1", "macs"], metrics=("val_top1", "macs"), runs=runs,
        finals={f"a-best-00{at}": ("a", at) for at in range(2)},
    )  # fmt: skip
    assert [row[:5] for row in texts(found.tables[-1])] == [
        ["a-best-000", "a-t000", "val top-1 [%]", "50.00", "40.00 (n=1)"],
        ["a-best-001", "a-t001", "val top-1 [%]", "70.00", "40.00 (n=1)"],
    ]


def test_trials_alone_have_no_table_of_finals() -> None:
    assert [table.title for table in section(trials_of("a", 0.5)).tables][-1] == "Near the best: a"
