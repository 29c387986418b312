"""The numbers of bars: intervals of the view `cells`, or Wilson's of one seed; seeds where they differ."""

from __future__ import annotations

from typing import Any

import pytest

from engine.report.charts.data.bars import bar_charts, make_bars
from engine.report.sentences import say
from engine.report.sheet import Sheet
from store.metrics import METRICS
from tests.report.rows import cell_rows, make_rows, run_row, unequal_runs


def sheet_of(*runs: dict[str, object]) -> Sheet:
    return Sheet(make_rows(list(runs)))


def test_edges_are_those_of_the_store_in_per_cent() -> None:
    sheet = sheet_of(*unequal_runs())
    bars = make_bars(sheet, "accuracy", METRICS["test_top1"])
    row = sheet.cells["base", "default", "test_top1"]
    assert bars.edges["base"][0] == pytest.approx((100 * row["low"], 100 * row["high"]))
    assert bars.seeds["base"][0] == pytest.approx([50.0, 60.0, 64.0, 70.0])
    assert "n: base 4, new 3" in " ".join(bars.notes)


def test_one_seed_has_the_interval_of_its_images() -> None:
    bars = make_bars(
        sheet_of(run_row("a", 0, test_top1=0.5, test_low=0.4, test_high=0.6)), "accuracy", METRICS["test_top1"]
    )
    assert bars.edges["a"][0] == pytest.approx((40.0, 60.0))
    assert bars.seeds["a"] == [()]


def test_what_is_the_same_for_every_seed_has_neither_whisker_nor_points() -> None:
    bars = make_bars(sheet_of(*unequal_runs()), "parameters", METRICS["params"])
    assert bars.edges["base"] == [None]
    assert bars.seeds["base"] == [()]


def test_charts_without_a_figure_are_left_out() -> None:
    assert [one.name for one in bar_charts(sheet_of(run_row("a", 0, test_top1=0.5)))] == ["accuracy"]


def speeds_of(speedup: float | None = None) -> list[dict[str, Any]]:
    rows = [
        run_row("base", 0, infer_images_per_second=100.0),
        run_row("new", 0, infer_images_per_second=180.0),
    ]
    if speedup is not None:
        rows[0] |= {"infer_speedup": 1.0}
        rows[1] |= {"infer_speedup": speedup, "speedup_low": 1.1, "speedup_high": 1.3}
    return rows


def test_speed_is_drawn_as_measured_side_by_side() -> None:
    """`new` ran while the machine was idle: 1.8 times the images/s, and 1.2 times as fast beside the baseline."""
    runs = speeds_of(1.2)
    (bars,) = bar_charts(Sheet(make_rows(runs, "base", cells=cell_rows(runs, ("infer_speedup",)))))
    assert (bars.name, bars.unit, bars.values) == ("throughput", "times", {"base": [1.0], "new": [1.2]})
    assert bars.edges["new"] == [(1.1, 1.3)]
    assert say("speed_note") in bars.notes
    assert say("apart_note") not in bars.notes


def test_speeds_of_jobs_apart_say_so() -> None:
    runs = speeds_of()
    (bars,) = bar_charts(Sheet(make_rows(runs, "base")))
    assert say("apart_note") in bars.notes
