"""The numbers of the effect plot: the changes of the tables, and nothing where nothing is compared."""

from __future__ import annotations

import pytest

from engine.analysis.statistics import Interval
from engine.report.charts.data.effects import effect_chart
from tests.report.chart_cases import sheet_of, top1


def test_an_effect_is_the_paired_change_in_points_with_its_interval() -> None:
    sheet = sheet_of(top1("a", 0.5, 0.6, 0.55), top1("b", 0.6, 0.7, 0.66), baseline="a")
    found, change = effect_chart(sheet), sheet.change("b", "default")
    assert found is not None
    assert isinstance(change, Interval)
    ((point, (one,)),) = found.points
    assert (point, one.arm, one.place, one.n) == ("default", "b", 1, 3)
    assert one.mean == pytest.approx(100 * (0.1 + 0.1 + 0.11) / 3)
    assert one.edges == pytest.approx((100 * (change.low or 0), 100 * (change.high or 0)))


def test_only_common_seeds_are_counted() -> None:
    found = effect_chart(sheet_of(top1("a", 0.5, None, 0.55), top1("b", 0.6, 0.7, 0.66), baseline="a"))
    assert found is not None
    assert found.points[0][1][0].n == 2


def test_without_baseline_or_other_arm_there_is_no_plot() -> None:
    assert effect_chart(sheet_of(top1("a", 0.5), top1("b", 0.6))) is None
    assert effect_chart(sheet_of(top1("a", 0.5), baseline="a")) is None
