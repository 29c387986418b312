"""Reliability diagrams, read back from their axes: full bins alone, and shares of all images."""

from __future__ import annotations

import numpy as np
import pytest

from engine.report.charts.reliability import Reliability, ReliabilityLine, draw_reliability
from tests.report.charts.samples import lines_of

COUNTS = (4.0, 0.0, 5.0, 11.0)
LINE = ReliabilityLine(COUNTS, accuracy=(0.9, 0.0, 0.6, 0.7), confidence=(0.2, 0.0, 0.65, 0.9))


def test_reliability_is_accuracy_over_confidence_of_full_bins() -> None:
    left, _ = draw_reliability(Reliability("r", "R", {"vit": LINE})).axes
    lines = lines_of(left)
    assert lines["vit"] == ([0.65, 0.9], [0.6, 0.7]), "bins of fewer than five images say nothing"
    assert [0, 1] in [x for x, _ in lines.values()], "the diagonal, on which sure is right"
    assert all(x == y for name, (x, y) in lines.items() if name != "vit")
    assert left.get_title(loc="left") == "Accuracy by confidence"
    assert left.get_ylim()[0] == 0


def test_two_panels_fit_the_width_of_a_page() -> None:
    wide, high = draw_reliability(Reliability("r", "R", {"vit": LINE})).get_size_inches()
    assert 2 * high <= wide <= 10


def test_points_of_a_reliability_diagram_grow_with_their_images() -> None:
    left, _ = draw_reliability(Reliability("r", "R", {"vit": LINE})).axes
    (points,) = left.collections
    assert np.asarray(points.get_offsets()).tolist() == [[0.65, 0.6], [0.9, 0.7]]
    assert list(points.get_sizes()) == pytest.approx([12 + 60 * 5 / 11, 72])  # type: ignore[attr-defined]


def test_the_histogram_of_confidence_is_in_per_cent_of_all_images() -> None:
    _, right = draw_reliability(Reliability("r", "R", {"vit": LINE})).axes
    (steps,) = right.patches
    values, edges, _ = steps.get_data()  # type: ignore[attr-defined]
    assert list(values) == pytest.approx([20.0, 0.0, 25.0, 55.0])
    assert list(edges) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert right.get_title(loc="left") == "How often each confidence [%]"
    assert (right.get_xlim(), right.get_xlabel()) == ((0.0, 1.0), "confidence")


def test_a_teacher_of_small_bins_alone_has_no_points() -> None:
    thin = ReliabilityLine((4.0, 3.0), (0.5, 0.5), (0.2, 0.8))
    left, _ = draw_reliability(Reliability("r", "R", {"vit": thin})).axes
    assert lines_of(left)["vit"] == ([], [])


def test_it_says_how_wide_it_is_on_a_screen() -> None:
    chart = Reliability("r", "R", {"vit": LINE})
    assert draw_reliability(chart).get_figwidth() == pytest.approx(chart.width)
