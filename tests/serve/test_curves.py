"""Curves as charts.js draws them: chains of jobs, means and bands over seeds, and units that readers see."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.home.paths import Home
from engine.serve.curves import GRID, Chain, Floats, Line, Traced, columns, make_chart, mean_of, trace
from engine.serve.site import Site


def points(**jobs: tuple[list[float], list[float]]) -> dict[str, tuple[Floats, Floats]]:
    return {job.replace("_", "-"): (np.array(x, float), np.array(y, float)) for job, (x, y) in jobs.items()}


def test_recovery_goes_on_where_training_ended() -> None:
    found = trace(
        points(train_1=([0, 1, 2], [5, 6, 7]), prune_1=([0, 1], [4, 5])), Chain(("train-1", "prune-1")), "epoch"
    )
    assert found.x.tolist() == [1, 2, 3, 4, 5]
    assert found.y.tolist() == [5, 6, 7, 4, 5]
    assert found.begins == ((3.0, "prune"),)


def test_time_is_that_of_training_alone() -> None:
    told = points(train_1=([7200, 9000], [1, 2]), prune_1=([90000, 91800], [3, 4]))
    assert trace(told, Chain(("train-1", "prune-1")), "time").x.tolist() == [0, 0.5, 1.0]
    assert trace(told, Chain(("train-1", "prune-1"), 4.0), "gpu-hours").x.tolist() == [0, 2.0, 4.0]


def test_the_last_value_of_an_epoch_counts() -> None:
    found = trace(points(train_1=([0, 0, 1, 1], [1, 2, 3, 4])), Chain(("train-1",)), "epoch")
    assert (found.x.tolist(), found.y.tolist()) == ([1, 2], [2, 4])


def test_a_band_is_over_those_that_have_come_so_far() -> None:
    one = Traced(np.array([1.0, 2, 3]), np.array([1.0, 2, 3]))
    other = Traced(np.array([1.0, 2]), np.array([3.0, np.nan]))
    x, mean, low, high = mean_of([one, other])
    assert x.tolist() == [1, 2, 3]
    assert mean.tolist() == [2, 2, 3]
    assert (low.tolist(), high.tolist()) == ([1, 2, 3], [3, 2, 3])


def test_seeds_that_logged_elsewhere_meet_on_a_grid() -> None:
    a = Traced(np.arange(0.0, 1000), np.arange(0.0, 1000))
    b = Traced(np.arange(0.5, 1000), np.arange(0.5, 1000) + 2)
    x, mean, low, high = mean_of([a, b])
    assert len(x) == GRID
    assert np.allclose(mean[5:-5], x[5:-5] + 1)
    assert np.allclose(high[5:-5] - low[5:-5], 2)


def test_what_is_not_finite_is_null_in_json() -> None:
    assert columns((np.array([1.0, 2]), np.array([np.nan, 0.5])), 100.0) == {"x": [1.0, 2.0], "y": [None, 50.0]}


@pytest.fixture
def lines(done_home: Home) -> list[Line]:
    with Site(done_home).snapshot() as snapshot:
        assert snapshot is not None
        rows = snapshot.db.execute(
            "select r.arm, l.job from runs r join run_jobs l using (run) where l.role = 'student' and r.experiment = 'study'"
            " and r.split = '60/20/20' and r.arm in ('original', 'proposed') order by all"
        ).fetchall()
    return [Line(arm, tuple(Chain((job,)) for of, job in rows if of == arm)) for arm in ("original", "proposed")]


def test_a_chart_has_means_and_bands_in_per_cent(done_home: Home, lines: list[Line]) -> None:
    told = json.loads(make_chart(Site(done_home).deltas, lines, "val_top1", "epoch").as_raw().body)
    assert (told["title"], told["x"], told["y"]) == ("Validation accuracy", "epoch", "%")
    assert [one["name"] for one in told["series"]] == ["original", "proposed"]
    one = told["series"][0]
    assert one["x"] == [1, 2, 3]
    assert 40 < one["low"][-1] <= one["y"][-1] <= one["high"][-1] < 80
    assert told["band"] == "lowest to highest seed"


def test_a_curve_of_nothing_is_empty(done_home: Home, lines: list[Line]) -> None:
    told = json.loads(make_chart(Site(done_home).deltas, lines, "no_such", "epoch").as_raw().body)
    assert (told["series"], told["title"], told["notes"]) == ([], "no_such", [])
