"""Agreement against accuracy, read back from the axes."""

from __future__ import annotations

import numpy as np

from engine.report.charts.likeness import Alike, Likenesses, draw_likenesses
from engine.report.charts.style import mark_of

CHART = Likenesses(
    "agreement", "Agreement", [("default", [Alike("kd", 1, 80.0, (78.0, 82.0), 60.0, (59.0, 61.0)),
                                            Alike("dkd", 2, 70.0, None, 55.0, None)])]
)  # fmt: skip


def test_an_arm_stands_at_its_agreement_and_accuracy_with_its_ranges() -> None:
    (axes,) = draw_likenesses(CHART).axes
    lines = [(np.asarray(one.get_xdata()).tolist(), np.asarray(one.get_ydata()).tolist()) for one in axes.lines]
    assert lines == [([78.0, 82.0], [60.0, 60.0]), ([80.0, 80.0], [59.0, 61.0]), ([80.0], [60.0]), ([70.0], [55.0])]


def test_arms_are_told_apart_by_marks_that_the_legend_names() -> None:
    figure = draw_likenesses(CHART)
    marks = [line.get_marker() for line in figure.axes[0].lines if len(np.asarray(line.get_xdata())) == 1]
    assert marks == [mark_of(1), mark_of(2)]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["kd", "dkd"]
    assert [line.get_marker() for line in legend.get_lines()] == marks
