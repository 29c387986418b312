"""Learning curves, read back from their axes: each arm is seen, and goes through its epochs and values."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from engine.report.charts.curves import DASH, Curves, draw_curves
from engine.report.charts.style import PALETTE
from tests.report.charts.samples import lines_of


def test_curves_go_through_their_epochs_and_values() -> None:
    lines = {"b": [(1, 50.0), (2, 60.0)], "a": [(1, 40.0), (3, 55.0)]}
    figure = draw_curves(Curves("curve", "Validation accuracy", "%", lines, ("a", "gone", "b")))
    axes = figure.axes[0]
    assert lines_of(axes) == {"a": ([1, 3], [40.0, 55.0]), "b": ([1, 2], [50.0, 60.0])}
    assert axes.get_title(loc="left") == "Validation accuracy [%]"
    assert axes.get_xlabel() == "epoch"
    assert [to_hex(line.get_color()) for line in axes.lines] == [PALETTE[0], PALETTE[2]], "an arm keeps its colour"


def test_a_curve_without_unit_has_a_bare_title() -> None:
    axes = draw_curves(Curves("curve", "Training loss", "", {"a": [(1, 2.0), (2, 1.0)]})).axes[0]
    assert axes.get_title(loc="left") == "Training loss"
    assert list(lines_of(axes)) == ["a"]


def test_lines_that_lie_on_one_another_are_dashed_in_turn() -> None:
    """Two of three arms are the same: each is seen in its colour, and the third is drawn through."""
    same, other = [(1, 50.0), (2, 60.0)], [(1, 40.0), (2, 55.0)]
    axes = draw_curves(Curves("c", "A", "%", {"a": same, "b": other, "c": same})).axes[0]
    dashes = {str(line.get_label()): line._unscaled_dash_pattern for line in axes.lines}  # type: ignore[attr-defined]
    assert dashes["b"] == (0, None)
    assert dashes["a"][1] == dashes["c"][1] == (DASH, DASH)
    assert dashes["a"][0] != dashes["c"][0], "where one is seen the other is not"


def test_a_pruned_arm_has_a_cross_where_it_was_pruned_and_goes_on_from_there() -> None:
    whole, rest = [(1, 50.0), (2, 60.0)], [(3, 40.0), (4, 55.0)]
    drawn = Curves("c", "A", "%", {"a": whole, "cut": whole + rest}, ("a", "cut"), {"cut": 2})
    assert drawn.pieces("cut") == [tuple(whole), ((2, 60.0), *rest)]
    axes = draw_curves(drawn).axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses] == [(2, 60.0)]  # type: ignore[index]
    assert to_hex(crosses[0].get_color()) == PALETTE[1]
    assert axes.get_xlabel() == "epoch, recovery included"
    assert [line.get_linestyle() for line in draw_curves(drawn).legends[0].get_lines()] == ["-", "-"]
    legend = [text.get_text() for text in draw_curves(drawn).legends[0].get_texts()]
    assert legend == ["a", "cut"], "one entry for each arm"


def test_a_line_that_lies_just_below_another_is_seen_on_both_sides() -> None:
    lines = {arm: [(1, 50.0), (2, 60.0 + at / 1000)] for at, arm in enumerate("abc")}
    widths = [line.get_linewidth() for line in draw_curves(Curves("c", "A", "%", lines)).axes[0].lines]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


def test_a_line_of_one_point_is_drawn() -> None:
    drawn = Curves("c", "A", "", {"a": [(1, 2.0), (2, 1.0)], "b": [(1, 2.0)]})
    assert drawn.pieces("b") == [((1, 2.0),)]
    assert [str(line.get_label()) for line in draw_curves(drawn).axes[0].lines] == ["a", "b"]


@pytest.mark.parametrize(("epochs", "marks"), [(29, 29), (30, 8), (100, 8)])
def test_long_curves_are_marked_here_and_there(epochs: int, marks: int) -> None:
    line = [(epoch, 1.0) for epoch in range(1, epochs + 1)]
    start, every = np.asarray(draw_curves(Curves("curve", "A", "", {"a": line})).axes[0].lines[0].get_markevery())
    assert len(range(int(start), epochs, int(every))) == marks


def test_a_band_reaches_from_the_lowest_to_the_highest_seed() -> None:
    bands = {"a": [(1, 40.0, 60.0), (2, 55.0, 65.0)]}
    (band,) = draw_curves(Curves("c", "A", "%", {"a": [(1, 50.0), (2, 60.0)]}, bands=bands)).axes[0].collections
    corners = {(float(x), float(y)) for x, y in np.asarray(band.get_paths()[0].vertices)}
    assert {(1.0, 40.0), (1.0, 60.0), (2.0, 55.0), (2.0, 65.0)} <= corners
    assert to_hex(np.asarray(band.get_facecolor())[0]) == PALETTE[0]


def test_arms_of_the_very_same_line_have_one_band() -> None:
    same, band = [(1, 50.0), (2, 60.0)], [(1, 40.0, 60.0), (2, 55.0, 65.0)]
    axes = draw_curves(Curves("c", "A", "%", {"a": same, "b": same}, bands={"a": band, "b": band})).axes[0]
    assert len(axes.collections) == 1
