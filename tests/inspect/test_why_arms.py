"""Why on one screen: what ran for an experiment, what was reused and from where, what differs from the baseline."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.inspect.why_arms import explain_match, find_origins
from engine.schedule.lookup import Match, find_match
from store.queue import Queue
from tests.helpers.queueing import make_home

SETTINGS = {"a": {"train": {"lr": 0.1, "decay": 0.0}}, "b": {"train": {"lr": 0.2, "decay": 0.5}}}


def submit(home: Home, name: str, at: float, arms: str = "ab") -> None:
    """Arms with two seeds; all share a pack, and each run has a student of its own arm and seed, whatever the name."""
    runs: list[dict[str, Any]] = [
        {"run": f"run-{name}{arm}{seed}", "arm": arm, "cell": "default", "seed": seed, "split": "60/20/20",
         "settings": SETTINGS[arm], "jobs": {"pack": "pack-0", "student": f"train-{arm}{seed}"}}
        for arm in arms for seed in (0, 1)
    ]  # fmt: skip
    names = dict.fromkeys(job for run in runs for job in run["jobs"].values())
    jobs = [{"job": job, "kind": job.partition("-")[0], "cost": 1.0, "needs": []} for job in names]
    record = {
        "version": 1, "name": name, "title": name, "baseline": "a", "submitted_at": at, "priority": 0,
        "spec": {"name": name, "arms": {"a": {}, "b": {"train.lr": 0.2}}}, "claims": [], "runs": runs, "jobs": jobs,
    }  # fmt: skip
    home.experiment(name).mkdir(parents=True, exist_ok=True)
    write_json(home.experiment(name) / f"{len(home.records(name)) + 1}.json", record)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(record)


def finish(home: Home, job: str, at: float) -> None:
    home.job(job).root.mkdir(parents=True, exist_ok=True)
    write_json(home.job(job).result, {"attempt": 1})
    os.utime(home.job(job).result, (at, at))
    with Queue(home.queue_db) as queue:
        queue.mark_done([job])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit(home, "first", 10.0, "a")
    finish(home, "pack-0", 20.0)
    finish(home, "train-a0", 30.0)
    submit(home, "second", 100.0)
    finish(home, "train-b0", 130.0)
    return home


def test_an_experiment_is_told_by_arm_with_what_ran_and_was_reused(home: Home) -> None:
    assert list(explain_match(home, find_match(home, "second"))) == [
        "second, submission 1: 4 runs, 5 jobs: 1 ran for it, 2 reused from first, 2 queued",
        "a (baseline): 2 runs, 3 jobs: 2 reused from first, 1 queued",
        "b: 2 runs, 3 jobs: 1 ran for it, 1 reused from first, 1 queued",
        "  train.lr: 0.1 -> 0.2",
        "  train.decay: 0 -> 0.5",
        "every setting of every job: xp why second --all",
    ]


def test_an_arm_is_told_with_each_of_its_jobs(home: Home) -> None:
    lines = list(explain_match(home, find_match(home, "second/b")))
    assert "  student of b seed 0: train-b0: ran for it" in lines
    assert "  student of b seed 1: train-b1: queued" in lines
    assert "  pack of b seed 0: pack-0: reused from first" in lines
    assert not any(line.startswith("a ") for line in lines)


def test_a_run_is_told_alone(home: Home) -> None:
    lines = list(explain_match(home, find_match(home, "second/b@1")))
    assert lines[0].startswith("second, submission 1: 1 run, 2 jobs: ")
    assert "  student of b seed 1: train-b1: queued" in lines
    assert not any("train-b0" in line for line in lines)


def test_what_an_earlier_submission_of_the_same_name_asked_for_ran_for_it(home: Home) -> None:
    submit(home, "second", 500.0)
    found = find_origins(home, "second", {"train-b0", "train-a0"})
    assert (found["train-b0"].origin, found["train-a0"].origin) == (None, "first")


def test_a_reused_job_is_of_who_asked_for_it_first_and_not_of_the_first_name(home: Home) -> None:
    submit(home, "a_later_one", 200.0)
    submit(home, "third", 300.0)
    found = find_origins(home, "third", {"train-b0", "train-a0"})
    assert (found["train-b0"].origin, found["train-a0"].origin) == ("second", "first")
    assert find_origins(home, "first", {"train-a0"})["train-a0"].origin is None


def test_an_earlier_submission_that_asked_first_is_found(home: Home) -> None:
    submit(home, "second", 500.0, "")
    submit(home, "third", 600.0)
    assert find_origins(home, "third", {"train-b0"})["train-b0"].origin == "second"


def test_of_a_job_that_no_record_asked_for_it_is_said_that_it_was_here(home: Home) -> None:
    shutil.rmtree(home.experiment("first"))
    submit(home, "a_later_one", 200.0)
    assert find_origins(home, "second", {"train-a0"})["train-a0"].origin == "what was here before"


def test_a_job_that_another_home_lends_names_that_home(home: Home, tmp_path: Path) -> None:
    lender = make_home(tmp_path / "lender")
    finish(lender, "train-b1", 1.0)
    home.job("train-b1").root.symlink_to(lender.job("train-b1").root)
    assert find_origins(home, "second", {"train-b1"})["train-b1"].origin == str(lender.root)


def test_of_many_settings_the_first_are_told_and_the_rest_counted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inspect.why_arms.SEVERAL", 1)
    lines = list(explain_match(home, find_match(home, "second")))
    assert "  and 1 more setting: xp diff second/a second/b" in lines
    assert "  train.lr: 0.1 -> 0.2" in lines, "what is written comes before what follows from it"


def test_a_run_that_no_submission_has_is_refused(home: Home) -> None:
    with pytest.raises(XpError, match="no submission has run-x"):
        list(explain_match(home, Match("run", "run-x", "second", ())))
