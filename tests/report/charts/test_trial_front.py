"""Fronts of trials and their volume, read back from the axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.report.charts.best_so_far import BestSoFar
from engine.report.charts.style import COLUMN
from engine.report.charts.trial_front import TrialFront, Whiskers, draw_trial_front

VOLUME = BestSoFar("", "Hypervolume", "hours", {"a": [(1.0, 0.2), (2.0, 0.5)]}, {}, {"a": 3.0})
CHART = TrialFront(
    "f", "Front", "latency [ms]", "top-1 [%]", {"a": [(1.0, 50.0), (2.0, 60.0), (2.0, 40.0)]},
    {"a": [(1.0, 50.0), (2.0, 60.0)]}, VOLUME,
)  # fmt: skip


@pytest.mark.parametrize(("is_more", "turn"), [(False, "steps-post"), (True, "steps-pre")])
def test_stairs_turn_by_what_is_better_across(is_more: bool, turn: str) -> None:
    first, second = draw_trial_front(replace(CHART, is_more=is_more)).axes
    drawn = [np.asarray(line.get_xydata()).tolist() for line in first.lines]
    assert drawn == [[[1.0, 50.0], [2.0, 60.0], [2.0, 40.0]], [[1.0, 50.0], [2.0, 60.0]], [[1.0, 50.0], [2.0, 60.0]]]
    assert first.lines[2].get_drawstyle() == turn
    assert np.asarray(second.lines[0].get_xydata()).tolist() == [[1.0, 0.2], [2.0, 0.5], [3.0, 0.5]]


def test_of_more_than_two_figures_the_volume_stands_alone() -> None:
    for chart, count in ((replace(CHART, spots={}, fronts={}), 1), (CHART, 2)):
        assert len(draw_trial_front(chart, COLUMN).axes) == count


def test_what_was_trained_anew_has_its_interval_where_there_is_one() -> None:
    one = Whiskers("a", (1.5, 55.0), (None, None), (53.0, 57.0))
    first, _ = draw_trial_front(replace(CHART, anew=[one])).axes
    drawn = [np.asarray(line.get_xydata()).tolist() for line in first.lines[3:]]
    assert drawn == [[[1.5, 53.0], [1.5, 57.0]], [[1.5, 55.0]]]
    assert first.lines[4].get_markerfacecolor() == "none"
    first, _ = draw_trial_front(replace(CHART, anew=[replace(one, across=(1.4, 1.6), up=(None, None))])).axes
    drawn = [np.asarray(line.get_xydata()).tolist() for line in first.lines[3:]]
    assert drawn == [[[1.4, 55.0], [1.6, 55.0]], [[1.5, 55.0]]]


def test_it_says_how_wide_it_is_on_a_screen() -> None:
    for chart in (CHART, replace(CHART, spots={}, fronts={})):
        assert draw_trial_front(chart).get_figwidth() == pytest.approx(chart.width)
