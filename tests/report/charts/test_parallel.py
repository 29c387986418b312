"""Trials as lines, read back from the axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from engine.report.charts.parallel import ABSENT, Coordinate, Line, Parallel, draw_parallel
from engine.report.charts.style import COLUMN, SCREEN

CHART = Parallel(
    "p", "Trials", "val top-1 [%]",
    [Coordinate("train.lr", [(0.0, "low"), (1.0, "high")]), Coordinate("kind", [(0.5, "mid")]),
     Coordinate("top-1", [])],
    [Line([0.2, None, 1.0], 90.0), Line([0.4, 0.5, 0.0], 50.0)],
)  # fmt: skip


def lines_of(figure: Figure) -> tuple[list[list[list[float]]], list[float]]:
    """Return the lines in the order in which they are drawn, and how bright each is."""
    (held,) = [one for one in figure.axes[0].collections if isinstance(one, LineCollection)]
    bright = np.asarray(held.get_colors())[:, :3] @ [0.2, 0.7, 0.1]
    return [np.asarray(path.vertices).tolist() for path in held.get_paths()], [float(one) for one in bright]


@pytest.mark.parametrize("paper", [SCREEN, COLUMN])
def test_the_best_is_drawn_last_and_brightest(paper: object) -> None:
    lines, bright = lines_of(draw_parallel(CHART, paper))  # type: ignore[arg-type]  # both are papers
    assert lines == [[[0, 0.4], [1, 0.5], [2, 0.0]], [[0, 0.2], [1, ABSENT], [2, 1.0]]]
    assert bright[0] < bright[1]


def test_less_may_be_better() -> None:
    lines, bright = lines_of(draw_parallel(replace(CHART, is_less=True)))
    assert lines[1][0] == [0, 0.4]
    assert bright[0] < bright[1]


def test_axes_have_their_names_ticks_and_a_place_for_what_was_not_drawn() -> None:
    axes = draw_parallel(CHART).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["train.\nlr", "kind", "top-1"]
    assert [text.get_text() for text in axes.texts] == ["low", "high", "mid"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["not drawn"]
    whole = replace(CHART, lines=CHART.lines[1:])
    assert not draw_parallel(whole).axes[0].get_yticklabels()


def test_equal_figures_have_one_colour_and_no_scale_beside_it() -> None:
    figure = draw_parallel(replace(CHART, lines=[Line([0.1, 0.2, 0.5], 1.0)] * 2))
    figure.canvas.draw()
    _, bright = lines_of(figure)
    assert (len(set(bright)), len(figure.axes)) == (1, 1)
    assert len(draw_parallel(CHART).axes) == 2


def test_it_says_how_wide_it_is_on_a_screen() -> None:
    assert draw_parallel(CHART).get_figwidth() == CHART.width
    assert draw_parallel(CHART, COLUMN).get_figwidth() == pytest.approx(7.0), "over both columns of print"
