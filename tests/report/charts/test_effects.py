"""Effect plots, read back from their axes: each arm's interval around one zero line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from engine.report.charts.effects import Effect, Effects, draw_effects
from engine.report.charts.files import to_pdf
from engine.report.charts.style import COLUMN, INK, PALETTE

HELD = [Effect("sparse", 1, 2.0, (0.5, 3.5), 3, is_told=True), Effect("small", 2, -1.0, None, 2, note="a")]
EFFECTS = Effects("effects", "Change", "points against original", [("data.split=60/20/20", HELD), ("two", HELD[:1])])


def test_each_arm_has_its_interval_its_mark_and_its_numbers() -> None:
    axes = draw_effects(EFFECTS).axes[0]
    lines = [(np.asarray(one.get_xdata()).tolist(), np.asarray(one.get_ydata()).tolist()) for one in axes.lines]
    assert lines == [([0, 0], [0, 1]), ([0.5, 3.5], [0, 0]), ([2.0], [0]), ([-1.0], [1])]
    assert [text.get_text() for text in axes.texts] == ["+2.0 [+0.5, +3.5] n=3", "-1.0 n=2"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["sparse", "small [a]"]


def test_there_is_a_zero_line_in_every_panel_and_one_axis_for_all() -> None:
    first, second = draw_effects(EFFECTS).axes
    assert all(to_hex(axes.lines[0].get_color()) == INK for axes in (first, second))
    assert first.get_xlim() == second.get_xlim()
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("split=60/20/20", "two")
    assert second.get_xlabel() == "points against original"


def test_a_filled_mark_is_told_apart_and_a_hollow_one_is_not() -> None:
    marks = [line for line in draw_effects(EFFECTS).axes[0].lines if len(np.asarray(line.get_xdata())) == 1]
    assert [to_hex(line.get_markerfacecolor()) for line in marks] == [PALETTE[1], "#ffffff"]


def test_the_best_arm_stands_above() -> None:
    low, high = draw_effects(EFFECTS).axes[0].get_ylim()
    assert low > high, "rows run down as in the tables"


def test_in_a_column_it_is_85_mm_wide() -> None:
    assert draw_effects(EFFECTS, COLUMN).get_figwidth() == pytest.approx(85 / 25.4)


def test_the_longest_name_leaves_the_axis_its_room() -> None:
    """Matplotlib warns where names leave none, and a warning is an error here."""
    long = replace(EFFECTS, points=[("default", [Effect("a_name_" + "x" * 57, 0, 1.0, (0.5, 1.5), 3)])])
    figure = draw_effects(long, COLUMN)
    assert to_pdf(figure)
    axes = figure.axes[0]
    assert axes.get_yticklabels()[0].get_text().count("\n") == 3


def test_it_says_how_wide_it_is_on_a_screen() -> None:
    assert draw_effects(EFFECTS).get_figwidth() == pytest.approx(EFFECTS.width)
