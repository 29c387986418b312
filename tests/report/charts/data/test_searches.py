"""The numbers of a search's charts, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from engine.analysis.trial_fronts import hypervolume
from engine.report.charts.data.searches import few_text, search_charts
from engine.report.pictures import draw_charts
from tests.report.searching import LR, gathered, searched_page, trial_row, trials_of

PAIR: dict[str, Any] = {"metric": ["val_top1", "macs"]}
FIGURES = [(0.5, 90), (0.7, 200), (0.55, 120), (0.6, 100)]
BOTH = [trial_row("a", at, value, figures={"macs": macs}) for at, (value, macs) in enumerate(FIGURES)]


def near(found: Sequence[tuple[float, float]], wanted: Sequence[tuple[float, float]]) -> bool:
    return bool(np.array(found) == pytest.approx(np.array(wanted)))


def test_best_grows_over_the_time_that_was_spent_in_the_unit_of_the_axis() -> None:
    rows = [trial_row("a", at, value, seconds=90.0, gpus=2) for at, value in enumerate([0.5, None, 0.4, 0.6])]
    best = search_charts(gathered(rows)).best
    assert best is not None
    assert best.along == "training time [GPU-minutes]"
    assert near(best.lines["a"], [(3.0, 50.0), (6.0, 50.0), (9.0, 50.0), (12.0, 60.0)])
    assert best.ends == {"a": 12.0}
    assert best.bands["a"][-1] == pytest.approx((12.0, 60.0, 60.0, 60.0))


@pytest.mark.parametrize(("seconds", "along"), [(10.0, "s"), (40.0, "minutes"), (3600.0, "hours")])
def test_time_is_in_the_largest_unit_that_it_fills(seconds: float, along: str) -> None:
    best = search_charts(gathered(trials_of("a", 0.5, 0.6, seconds=seconds))).best
    assert best is not None
    assert best.along == f"training time [{along}]"


def test_less_is_better_goes_down() -> None:
    rows = [trial_row("a", at, 0.5, figures={"macs": macs}) for at, macs in enumerate([3e6, 1e6, 2e6])]
    best = search_charts(gathered(rows, metric="macs")).best
    assert best is not None
    assert [value for _, value in best.lines["a"]] == pytest.approx([3.0, 1.0, 1.0])
    low, high = best.bands["a"][0][1], best.bands["a"][0][3]
    assert low > high, "nine orders of ten are below the one end, one below the other"


def test_rungs_cost_and_only_the_longest_are_figures() -> None:
    rows = [trial_row("a", 0, 0.9), trial_row("a", 1, 0.8), trial_row("a", 1, 0.7, rung=1)]
    best = search_charts(gathered(rows, fidelity={"epochs": [1, 3]})).best
    assert best is not None
    assert near(best.lines["a"], [(3.0, 70.0)])


def test_lines_have_a_place_on_each_axis() -> None:
    drawn = {"train.lr": 1e-3, "student.attention.kind": "longformer", "student.attention.radius": 2}
    rows = [trial_row("a", 0, 0.5, drawn=drawn), trial_row("a", 1, 0.7, drawn={"train.lr": 1e-2})]
    (chart,) = search_charts(gathered(rows)).parallels
    assert [list(line.places) for line in chart.lines] == [
        pytest.approx([0.5, 1.0, 0.5, 0.0]), [1.0, None, None, 1.0],
    ]  # fmt: skip
    assert [axis.label for axis in chart.axes][-1] == "val top-1 [%]"
    assert list(chart.axes[1].ticks) == [(0.0, "window"), (1.0, "longformer")]
    assert list(chart.axes[3].ticks) == [(0.0, "50.0"), (1.0, "70.0")]


def test_of_too_many_trials_the_best_and_every_so_many_are_drawn() -> None:
    rows = trials_of("a", *[at / 1000 for at in range(1000)])
    (chart,) = search_charts(gathered(rows)).parallels
    assert [line.figure for line in chart.lines[:2]] == pytest.approx([99.9, 99.7])
    assert len(chart.lines) == 500


def test_weights_say_what_decides_and_that_trials_are_few() -> None:
    rows = [trial_row("a", at, 0.5 + 0.01 * (at % 20), drawn={"train.lr": LR[at % 20]}) for at in range(40)]
    (chart,) = search_charts(gathered(rows)).weights
    assert chart.weights[0].path == "train.lr"
    assert chart.weights[0].is_told
    assert chart.notes[0].startswith("Too few trials to rely on: the best of 40 are 4 trials")
    assert search_charts(gathered(rows[:9])).weights == []
    assert "a" in few_text(gathered(rows[:9]))


def test_front_and_volume_are_those_of_the_trials() -> None:
    found = gathered(BOTH, **PAIR)
    front = search_charts(found).front
    assert front is not None
    assert search_charts(found).best is None
    assert near(front.fronts["a"], [(90e-6, 50.0), (100e-6, 60.0), (200e-6, 70.0)])
    assert not front.is_more, "less MACs are better"
    points = [((value - 0.5) / 0.2, (200 - macs) / 110) for value, macs in FIGURES]
    wanted = [hypervolume(points[: at + 1], (0.0, 0.0)) for at in range(4)]
    assert [volume for _, volume in front.volume.lines["a"]] == pytest.approx(wanted)
    assert "(val_top1 50.00 %, macs 200)" in front.notes[1]


def test_three_figures_have_a_volume_and_no_front() -> None:
    rows = [trial_row("a", at, 0.5 + at, figures={"macs": 9 - at, "params": at % 3}) for at in range(4)]
    front = search_charts(gathered(rows, metric=["val_top1", "macs", "params"])).front
    assert front is not None
    assert front.spots == {}


def test_a_figure_that_is_always_the_same_spans_no_volume() -> None:
    rows = [trial_row("a", at, 0.5 + at / 10, figures={"macs": 9}) for at in range(3)]
    assert search_charts(gathered(rows, **PAIR)).front is None
    assert search_charts(gathered(**PAIR)).front is None


def test_all_charts_stand_in_the_section() -> None:
    names = {chart.name: chart.section for chart in draw_charts(searched_page(BOTH, **PAIR))}
    assert names == {"trials_front": "search", "trials_lines_1": "search"}
    many = trials_of("a", *[0.5 + at / 100 for at in range(12)])
    names = {chart.name: chart.section for chart in draw_charts(searched_page(many))}
    assert names == dict.fromkeys(("trials_best", "trials_lines_1", "trials_weights_1"), "search")
