"""What is left of a plan: states, seconds from what this home has measured, bytes; what is done costs nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import Job, Plan, make_plan
from engine.plan.estimate import Estimate, estimate_plan

GUESS, OVERHEAD, NEWEST = 0.002, 0.3, 5  # seconds an image and a job; records
QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def plan(home: Home) -> Plan:
    return make_plan(load_spec(QUICKSTART), home)


def finish(home: Home, job: str, seconds: float = 1.0) -> None:
    home.job(job).root.mkdir(parents=True, exist_ok=True)
    write_json(home.job(job).result, {"attempt": 1, "seconds": seconds})


def remember(home: Home, name: str, jobs: list[tuple[str, str, float]], age: int = 0) -> None:
    """Write the record of an experiment that was submitted `age` seconds ago: jobs as (id, kind, images)."""
    folder = home.experiment(name)
    folder.mkdir(parents=True)
    told = [{"job": job, "kind": kind, "images": images} for job, kind, images in jobs]
    write_json(folder / "1.json", {"jobs": told})
    os.utime(folder, (1_000_000 - age, 1_000_000 - age))


def seconds_of(estimate: Estimate, kind: str) -> dict[str, float]:
    return {item.job.key: item.seconds for item in estimate.jobs if item.job.kind == kind}


def job_of(plan: Plan, kind: str) -> Job:
    return next(job for job in plan.jobs if job.kind == kind)


def test_before_anything_is_measured_seconds_are_a_guess(home: Home, plan: Plan) -> None:
    estimate = estimate_plan(plan, home, {})
    assert [item.job for item in estimate.jobs] == list(plan.jobs)
    for item in estimate.jobs:
        assert item.seconds == round(OVERHEAD + item.job.images * GUESS, 1)
        assert (item.state, item.is_reused) == ("new", False)
    assert estimate.seconds == round(sum(item.seconds for item in estimate.jobs), 1)
    assert estimate.bytes == sum(job.bytes for job in plan.jobs)


def test_what_is_done_costs_nothing_more(home: Home, plan: Plan) -> None:
    pack, whole = job_of(plan, "pack"), estimate_plan(plan, home, {})
    finish(home, pack.key)
    left = estimate_plan(plan, home, {pack.key: "queued"})
    (found,) = [item for item in left.jobs if item.job.key == pack.key]
    assert (found.state, found.is_reused) == ("done", True)
    assert left.bytes == whole.bytes - pack.bytes
    assert left.seconds == pytest.approx(whole.seconds - found.seconds)


def test_states_are_those_of_the_queue(home: Home, plan: Plan) -> None:
    pack, train = job_of(plan, "pack"), job_of(plan, "train")
    estimate = estimate_plan(plan, home, {pack.key: "running", train.key: "failed"})
    states = {item.job.key: item.state for item in estimate.jobs}
    assert (states[pack.key], states[train.key]) == ("running", "failed")
    assert set(states.values()) == {"running", "failed", "new"}
    assert not any(item.is_reused for item in estimate.jobs)


def test_a_job_that_cannot_be_yet_has_no_state_of_another(home: Home, plan: Plan) -> None:
    pack = job_of(plan, "pack")
    finish(home, pack.key)
    blind = replace(plan, jobs=(replace(pack, job=None),))
    (item,) = estimate_plan(blind, home, {pack.key: "done"}).jobs
    assert (item.state, item.is_reused) == ("new", False)


def test_seconds_come_from_the_median_of_what_was_measured(home: Home, plan: Plan) -> None:
    remember(home, "old", [("train-1", "train", 100), ("train-2", "train", 100), ("train-3", "train", 100)])
    for job, seconds in (("train-1", 1.0), ("train-2", 50.0), ("train-3", 2.0)):
        finish(home, job, seconds)
    estimate = estimate_plan(plan, home, {})
    train, prune = job_of(plan, "train"), job_of(plan, "prune")
    assert seconds_of(estimate, "train")[train.key] == round(OVERHEAD + train.images * 2.0 / 100, 1)
    assert seconds_of(estimate, "prune")[prune.key] == round(OVERHEAD + prune.images * GUESS, 1)


def test_jobs_that_are_not_done_or_saw_no_image_measure_nothing(home: Home, plan: Plan) -> None:
    remember(home, "old", [("train-1", "train", 100), ("train-2", "train", 0), ("train-3", "train", 10)])
    finish(home, "train-2", 5.0)
    finish(home, "train-3", 1.0)
    train = job_of(plan, "train")
    found = seconds_of(estimate_plan(plan, home, {}), "train")[train.key]
    assert found == round(OVERHEAD + train.images * 0.1, 1)


def rate_of(home: Home, plan: Plan) -> float:
    train = job_of(plan, "train")
    return round((seconds_of(estimate_plan(plan, home, {}), "train")[train.key] - OVERHEAD) / train.images, 3)


def test_the_newest_records_count(home: Home, plan: Plan) -> None:
    """Five new experiments of 0.01 seconds an image, and twice as many older ones, slower by far."""
    for number in range(3 * NEWEST):
        remember(home, f"e{number}", [(f"train-{number}", "train", 100)], age=number)
        finish(home, f"train-{number}", 1.0 if number < NEWEST else 900.0)
    assert rate_of(home, plan) == 0.01


def test_of_an_experiment_the_last_record_counts(home: Home, plan: Plan) -> None:
    remember(home, "old", [("train-1", "train", 100)])
    told: dict[str, Any] = {"jobs": [{"job": "train-2", "kind": "train", "images": 100}]}
    write_json(home.experiment("old") / "2.json", told)
    home.experiment("empty").mkdir()
    finish(home, "train-1", 900.0)
    finish(home, "train-2", 3.0)
    assert rate_of(home, plan) == 0.03
