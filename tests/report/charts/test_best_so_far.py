"""The best over training time, read back from the axes."""

from __future__ import annotations

import numpy as np

from engine.report.charts.best_so_far import BestSoFar, draw_best
from engine.report.charts.style import COLUMN, colour_of

CHART = BestSoFar(
    "b", "Best so far", "training time [hours]", {"a": [(1.0, 50.0), (2.0, 60.0)], "b": [(1.0, 55.0)]},
    {"a": [(1.0, 40.0, 50.0, 60.0), (3.0, 60.0, 60.0, 60.0)]}, {"a": 3.0, "b": 1.0},
)  # fmt: skip


def test_lines_go_on_to_the_end_of_their_arm() -> None:
    (axes,) = draw_best(CHART).axes
    lines = {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in axes.lines}
    assert lines["a"] == [[1.0, 50.0], [2.0, 60.0], [3.0, 60.0]]
    assert lines["b"] == [[1.0, 55.0]]
    assert {line.get_drawstyle() for line in axes.lines} == {"steps-post"}


def test_only_an_arm_of_several_orders_has_a_band_and_its_colour() -> None:
    (axes,) = draw_best(CHART, COLUMN).axes
    assert len(axes.collections) == 1
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert [line.get_color() for line in dotted] == [colour_of(0)]
