"""The numbers of agreement: per cent on the test images, ranges over seeds, and never fewer than two arms."""

from __future__ import annotations

import pytest

from engine.report.charts.data.likeness import likeness_chart
from tests.report.chart_cases import sheet_of, top1


def row(arm: str, part: str = "test", name: str = "agreement", n: int = 2) -> dict[str, object]:
    return {"arm": arm, "cell": "default", "part": part, "name": name, "mean": 0.8, "least": 0.7, "most": 0.9, "n": n}


def test_agreement_and_accuracy_are_per_cent_with_the_range_of_seeds() -> None:
    found = likeness_chart([row("a"), row("b", n=1)], sheet_of(top1("a", 0.5, 0.6), top1("b", 0.7)))
    assert found is not None
    ((_, (a, b)),) = found.points
    assert a.agreement == 80.0
    assert a.agreement_range == pytest.approx((70.0, 90.0))
    assert a.right == pytest.approx(55.0)
    assert a.right_range == pytest.approx((50.0, 60.0))
    assert (b.agreement_range, b.right_range, b.place) == (None, None, 1)


def test_other_parts_and_figures_are_not_agreement_on_test() -> None:
    rows = [row("a", part="train"), row("a", name="divergence"), row("b")]
    assert likeness_chart(rows, sheet_of(top1("a", 0.5), top1("b", 0.7))) is None
