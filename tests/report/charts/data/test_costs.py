"""The numbers of what accuracy costs: units, fronts, and no chart where the cost is the same for all."""

from __future__ import annotations

import pytest

from engine.report.charts.data.costs import cost_charts
from engine.report.sheet import Sheet
from tests.report.chart_cases import sheet_of, top1
from tests.report.rows import MB, make_rows, run_row


def test_macs_are_billions_and_accuracy_is_per_cent() -> None:
    (chart,) = cost_charts(sheet_of(top1("a", 0.5, 0.6, macs=4_000_000_000), top1("b", 0.6, 0.7, macs=1_000_000_000)))
    assert (chart.name, chart.across) == ("cost_macs", "MACs, computed [billions]")
    assert [(one.arm, one.ms, one.span) for one in chart.points] == [("a", 4.0, None), ("b", 1.0, None)]
    assert chart.points[0].right == pytest.approx(55.0)
    assert chart.points[0].top is not None


def test_few_macs_are_millions() -> None:
    (chart,) = cost_charts(sheet_of(top1("a", 0.5, 0.6, macs=4_000_000), top1("b", 0.6, 0.7, macs=1_000_000)))
    assert chart.across == "MACs, computed [millions]"
    assert [one.ms for one in chart.points] == [4.0, 1.0]


def test_an_arm_that_is_better_for_less_is_on_the_front_and_the_other_is_not() -> None:
    """Paired seeds: `b` is ten points above `a` with each, for a quarter of its MACs."""
    (chart,) = cost_charts(sheet_of(top1("a", 0.5, 0.6, macs=4_000_000), top1("b", 0.6, 0.7, macs=1_000_000)))
    assert [one.share for one in chart.points] == [0.0, 1.0]


def test_memory_is_mb_with_its_interval() -> None:
    runs = [run_row(arm, seed, test_top1=0.5, cuda_peak_reserved=(size + seed) * MB)
            for arm, size in (("a", 100), ("b", 200)) for seed in (0, 1, 2)]  # fmt: skip
    (chart,) = cost_charts(Sheet(make_rows(runs)))
    assert (chart.name, chart.across) == ("cost_memory", "Peak GPU memory, reserved [MB]")
    assert chart.points[0].ms == pytest.approx(101.0)
    assert chart.points[0].span is not None
    assert chart.points[0].span[0] < 101.0 < chart.points[0].span[1]


def test_arms_of_equal_cost_or_one_arm_have_no_chart() -> None:
    assert cost_charts(sheet_of(top1("a", 0.5, macs=1), top1("b", 0.6, macs=1))) == []
    assert cost_charts(sheet_of(top1("a", 0.5, macs=1))) == []
