"""A drawn point as runs and jobs: what a trial goes without, and what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home, open_home
from engine.home.records import read_record
from engine.search.decisions import Study, read_study
from engine.search.trials import Impossible, gates, is_gated, only_measured, plan_trial
from tests.search.objective import make_spec, submit_study

DRAWN = {"train.lr": 1e-3, "student.attention.kind": "window"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def study_of(home: Home, **search: Any) -> Study:
    submit_study(home, make_spec(**search))
    return read_study(home, read_record(home.records("study")[-1]))


def test_a_trial_has_no_maps_and_speeds_only_where_they_are_asked_for(home: Home) -> None:
    work = plan_trial(study_of(home), home, "study", "study-t000", DRAWN, "train")
    assert set(work.runs[0]["jobs"]) == {"pack", "student"}
    other = study_of(home, metric=["val_top1", "infer_latency"])
    work = plan_trial(other, home, "study", "study-t000", DRAWN, "train")
    assert set(work.runs[0]["jobs"]) == {"pack", "student", "measure"}
    assert (work.runs[0]["arm"], work.runs[0]["seed"]) == ("study-t000", 0)
    assert all(home.job(entry["job"]).spec.exists() for entry in work.jobs)


def test_what_is_measured_first_is_a_job_that_needs_nothing(home: Home) -> None:
    study = study_of(home, constraint={"infer_latency": {"below": 1.0}, "val_top1": {"above": 0.1}})
    work = plan_trial(study, home, "study", "study-t000", DRAWN, "train")
    assert set(gates(study.search)) == {"infer_latency"}
    assert is_gated(study.search, work)
    first = only_measured(work)
    assert [entry["kind"] for entry in first.jobs] == ["measure"]
    assert first.runs[0]["run"] == work.runs[0]["run"], "its place is its id"
    trainings = [entry["chain"] for entry in work.jobs if entry["kind"] == "train"]
    assert first.jobs[0]["chain"] > max(trainings), "or the trainings of one arm keep those of another from beginning"


def test_finals_are_whole_and_on_their_own_seeds(home: Home) -> None:
    study = study_of(home, final={"seeds": [4, 5]})
    work = plan_trial(study, home, "study", "study-best", DRAWN, "final")
    assert [run["seed"] for run in work.runs] == [4, 5]
    assert set(work.runs[0]["jobs"]) == {"pack", "student", "measure", "explain"}


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"train.min_lr": 1.0}, "min_lr"),
        ({"student.dims": [16, 16, 16]}, "dims"),
        ({"train.lr": -1.0}, "train.lr: -1.0 is not above 0"),
    ],
)
def test_what_no_network_has_is_impossible_in_words(home: Home, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(Impossible, match=what):
        plan_trial(study_of(home), home, "study", "study-t000", settings, "train")
