"""Trials read back: their states by what lies on disk and in the queue, and their figures without the test's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.home.records import read_record
from engine.search.advance import advance
from engine.search.decisions import Figures, Study, Trial, count_spent, read_study
from store.queue import Queue
from store.results import open_snapshot
from tests.search.objective import finish_open, make_spec, submit_study, value_of

pytest.importorskip("optuna", reason="needs the extra `search`")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def study_of(home: Home, figures: Figures | None = None) -> Study:
    return read_study(home, read_record(home.records("study")[-1]), figures)


def begin(home: Home, **search: Any) -> list[Trial]:
    submit_study(home, make_spec(**{"trials": 2, "parallel": 2, **search}))
    advance(home, "study")
    return list(study_of(home).trials)


def test_states_follow_from_results_and_queue(home: Home) -> None:
    begin(home)
    finish_open(home)  # the pack
    with Queue(home.queue_db) as queue:
        first, _ = sorted(job for job, state in queue.job_states().items() if state == "queued")
        queue.request_cancel([first])
    finish_open(home)
    study = study_of(home)
    assert sorted(one.state for one in study.trials) == ["done", "failed"]
    assert count_spent(study.trials) == 2
    done = next(one for one in study.trials if one.state == "done")
    assert done.values.keys() == {"val_top1"}


def test_figures_are_those_of_the_results_and_the_test_is_not_among_them(home: Home) -> None:
    begin(home, trials=1)
    while finish_open(home):
        pass
    (trial,) = study_of(home).trials
    with open_snapshot(home) as db:
        columns = [row[0] for row in db.execute("describe trials").fetchall()]
        told = db.execute("select val_top1, state from trials where experiment = 'study'").fetchall()
        arms = db.execute("select count(*) from results where experiment = 'study'").fetchone()
    assert told == [(trial.values["val_top1"], "done")]
    assert not [name for name in columns if "test" in name]
    assert arms == (0,), "a trial is no arm of its experiment's tables"


def test_figures_are_read_anew_only_when_other_runs_ended(home: Home) -> None:
    begin(home, trials=1)
    while finish_open(home):
        pass
    figures = Figures(home, "study")
    study_of(home, figures)
    home.results_db.unlink()
    assert study_of(home, figures).trials[0].values


def test_the_objective_is_best_where_it_says() -> None:
    settings = {
        "train": {"lr": 3e-3, "weight_decay": 0.3, "label_smoothing": 0.1},
        "data": {"augment": {"flip": 0.2, "erasing": 0.6}},
        "network": {"attention": {"kind": "longformer", "radius": 2}},
    }
    assert value_of(settings) == pytest.approx(1.0)


def test_what_searches_nothing_says_so(home: Home) -> None:
    study = begin(home) and study_of(home)
    assert isinstance(study, Study)
    plain = Study(study.spec.model_copy(update={"search": None}), study.record, ())
    with pytest.raises(XpError, match="searches nothing"):
        _ = plain.search
