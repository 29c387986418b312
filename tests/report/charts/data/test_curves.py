"""The numbers of curves: bands of several seeds, and no two kinds of loss on one axis."""

from __future__ import annotations

from engine.report.charts.data.curves import curve_charts
from tests.report.chart_cases import curve, sheet_of, taught, top1


def test_bands_are_the_lowest_and_highest_seed_in_per_cent() -> None:
    (chart,) = curve_charts(curve("a", 0.25, 0.5, spread=0.25), sheet_of(top1("a", 0.5)))
    assert chart.bands == {"a": [(1, 0.0, 50.0), (2, 25.0, 75.0)]}
    assert "n=2" in chart.notes[0]


def test_one_seed_has_no_band() -> None:
    (chart,) = curve_charts(curve("a", 0.25, 0.5, n=1), sheet_of(top1("a", 0.5)))
    assert chart.bands == {}


def test_losses_of_unlike_kinds_never_share_an_axis() -> None:
    """Cross-entropy, two of Hinton's and one of LSKD: three charts, and each arm on one of them."""
    trees = {"plain": {}, "kd": taught("hinton"), "warm": taught("hinton", 4.0), "lskd": taught("lskd")}
    sheet = sheet_of(*(top1(arm, 0.5, settings=tree) for arm, tree in trees.items()))
    rows = [row for arm in trees for row in curve(arm, 2.0, 1.0, name="train_loss")]
    charts = {one.name: one for one in curve_charts(rows, sheet)}
    assert {name: list(one.lines) for name, one in charts.items()} == {
        "curve_train_loss_ce": ["plain"], "curve_train_loss_hinton": ["kd", "warm"], "curve_train_loss_lskd": ["lskd"],
    }  # fmt: skip
    assert charts["curve_train_loss_ce"].title == "Training loss, cross-entropy"
    assert all(list(one.arms) == list(trees) for one in charts.values()), "an arm looks the same on every chart"


def test_a_student_with_a_teacher_but_plain_loss_is_among_the_plain() -> None:
    trees = {"plain": {}, "ce": taught("ce")}
    sheet = sheet_of(*(top1(arm, 0.5, settings=tree) for arm, tree in trees.items()))
    (chart,) = curve_charts([row for arm in trees for row in curve(arm, 2.0, 1.0, name="train_loss")], sheet)
    assert (chart.name, list(chart.lines)) == ("curve_train_loss", ["plain", "ce"])
