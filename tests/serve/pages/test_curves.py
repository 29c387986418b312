"""Learning curves of arms: means with bands over seeds, in the units of readers."""

from __future__ import annotations

import pytest

from engine.home.paths import Home
from engine.serve.pages import curves
from tests.serve.conftest import Browse


def test_arms_have_means_and_bands_by_epoch(browse: Browse, done_home: Home) -> None:
    told = browse(done_home).get("/e/study/curves").json()
    assert told["y"] == "%"
    assert [one["name"] for one in told["series"]] == ["original", "proposed", "proposed_pruned"]
    first = told["series"][0]
    assert first["x"] == [1, 2, 3]
    assert first["low"][-1] <= first["y"][-1] <= first["high"][-1]
    assert 40 < first["y"][-1] < 80, "per cent, and no fraction"


def test_recovery_goes_on_behind_the_training(browse: Browse, done_home: Home) -> None:
    told = browse(done_home).get("/e/study/curves?metric=train_loss").json()
    assert told["series"][2]["x"] == [1, 2, 3, 4, 5, 6]
    assert told["marks"] == [{"x": 3, "name": "pruned"}]


def test_what_is_not_there_gives_way(browse: Browse, done_home: Home) -> None:
    told = browse(done_home).get("/e/study/curves?metric=nothing&cell=nowhere").json()
    assert len(told["series"]) == 3


def test_an_experiment_without_values_says_so(browse: Browse, empty_home: Home) -> None:
    told = browse(empty_home).get("/e/study/curves").json()
    assert told["series"] == []
    assert told["empty"]


def test_long_curves_keep_their_end(browse: Browse, done_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "MOST_POINTS", 2)
    told = browse(done_home).get("/e/study/curves?metric=train_loss").json()
    assert told["series"][2]["x"][-1] == 6
    assert len(told["series"][2]["x"]) == 2
