"""The steps of a submission: what was asked is checked before anything is written, and who is told is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.cli.submitting import Asked, _trials_text, count_spent, load_asked, read_asked
from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.notices import Target, waiting_notices
from engine.schedule.submit import Submission
from store.queue import Queue
from store.queue.submit import HELD
from tests.cli.test_jobs import QUICKSTART, run
from tests.helpers.queueing import make_home

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def asked(fill: bool = False, trial: str | None = None) -> Asked:
    return Asked(QUICKSTART, None, None, False, trial, fill)


def test_what_was_asked_is_checked_together() -> None:
    found = read_asked(asked(fill=True), "2h", "sh -c true")
    assert (found.budget, found.is_paper) == (7200.0, False)
    assert isinstance(found.notify, Target)
    with pytest.raises(XpError, match="no command"):
        read_asked(asked(), None, "no-such-program-here")


def test_a_trial_is_loaded_under_its_name() -> None:
    (spec,) = load_asked(read_asked(asked(trial="attempt"), None, None), ["train.epochs=1"], [])
    assert (spec.name, spec.train.epochs) == ("attempt", 1)


def test_who_is_told_is_kept_and_a_scheduler_starts_for_it(home: Home, started: list[Home]) -> None:
    answer = run(home, "submit", str(QUICKSTART), "--notify", "https://example.org/hook")
    assert answer.exit_code == 0, answer.stderr
    assert [(one.experiment, one.number) for one in waiting_notices(home)] == [("quickstart", 1)]
    assert len(started) == 1


def test_nobody_is_told_unless_asked(home: Home) -> None:
    run(home, "submit", str(QUICKSTART), "--no-start")
    assert not home.notices_root.exists()


@pytest.mark.parametrize("notify", ["ftp://example.org", "no-such-program-here"])
def test_who_cannot_be_told_stops_a_submission(home: Home, notify: str) -> None:
    answer = run(home, "submit", str(QUICKSTART), "--notify", notify)
    assert isinstance(answer.exception, XpError)
    assert answer.exception.exit_code == 2
    assert not home.records("quickstart")


def test_only_some_arms_are_queued_and_all_are_registered(home: Home) -> None:
    answer = run(home, "submit", str(QUICKSTART), "--no-start", "--only", "original")
    assert "jobs of other arms are left out" in answer.stderr
    with Queue.open_readonly(home.queue_db) as queue:
        rows = {row.job: row for row in queue.job_rows(experiment="quickstart")}
        held = {job for job, row in rows.items() if row.reason == HELD}
        plan = make_plan(load_spec(QUICKSTART), home)
    wanted = {job for found in plan.runs if found.arm == "original" for job in found.jobs.values()}
    assert held
    assert not held & wanted
    assert "left out" not in run(home, "submit", str(QUICKSTART), "--no-start").stderr
    with Queue.open_readonly(home.queue_db) as queue:
        assert not any(row.reason == HELD for row in queue.job_rows(experiment="quickstart"))


def test_only_and_fill_and_unknown_arms_are_refused(home: Home) -> None:
    with pytest.raises(XpError, match="--only and --fill both say"):
        read_asked(replace(asked(fill=True), only=("original",)), None, None)
    answer = run(home, "submit", str(QUICKSTART), "--only", "orignal")
    assert isinstance(answer.exception, XpError)
    assert "no arm 'orignal'" in str(answer.exception)
    assert "original" in answer.exception.fix


def trial(arm: str, number: int, **more: Any) -> dict[str, Any]:
    return {"arm": arm, "trial": number, "stage": "train", "why": "tpe", "refused": None, **more}


def test_trials_that_were_asked_for_are_not_asked_for_again() -> None:
    tried = [trial("a", 0), trial("a", 1), trial("a", 1, stage="final"), trial("a", 2, refused="too large")]
    assert count_spent(tried, 4) == 2
    rungs = [trial("a", 0), trial("a", 0, why="promoted")]
    assert count_spent(rungs, 4) == 1, "a longer training of a trial is no other trial"


def test_an_arm_whose_grid_is_used_up_is_asked_for_nothing() -> None:
    assert count_spent([trial("a", 0), trial("a", 1, why="exhausted", refused="none is left"), trial("b", 0)], 4) == 5


def test_a_search_that_is_submitted_again_says_what_is_left_of_it(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    done = Submission("study", 1, 0, 0, (), trials=2)
    for tried, said in (
        ([], "up to 2 trials are asked for one after the other, by what came of those before"),
        ([trial("a", 0)], "up to 1 more trial is asked for, by what came of those before"),
        ([trial("a", 0), trial("a", 1)], "all its trials were asked for before: xp status study says how far they are"),
    ):
        home.experiment("study").mkdir(parents=True, exist_ok=True)
        record: dict[str, Any] = {"name": "study", "submitted_at": 1.0, "priority": 0, "runs": [], "jobs": []}
        write_json(home.experiment("study") / "1.json", {**record, "search": {"trials": tried, "asked": 2}})
        assert _trials_text(home, done) == said
