"""A teacher by reference: another run's network, taken over as it is, never one that saw other images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.errors import DataError, HomeError, VersionError
from engine.home.files import read_json, write_json
from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.schedule.submit import submit_plan
from tests.plan.conftest import QUICKSTART, Planner

SPLITS = "matrix={data.split: [60/20/20, 80/10/10]}"


@pytest.fixture
def first(home: Home) -> Plan:
    """A submitted quickstart, of which nothing has run."""
    made = make_plan(load_spec(QUICKSTART, [SPLITS]), home)
    submit_plan(made, home)
    return made


def student_of(plan: Plan, arm: str, split: str = "60/20/20", seed: int = 0) -> str:
    return next(run.jobs["student"] for run in plan.runs if (run.arm, run.split, run.seed) == (arm, split, seed))


def teachers_of(plan: Plan, arm: str = "distilled") -> set[str]:
    return {run.jobs["teacher"] for run in plan.runs if run.arm == arm}


def test_the_run_of_the_same_split_and_the_teachers_seed_is_taken(first: Plan, plan: Planner) -> None:
    made = plan("name=second", SPLITS, "teacher.run=quickstart/original")
    expected = {student_of(first, "original", split) for split in ("60/20/20", "80/10/10")}
    assert teachers_of(made) == expected
    assert teachers_of(plan("name=second", "teacher={run: quickstart/original, seed: 1}")) == {
        student_of(first, "original", seed=1)
    }


def test_a_pruned_arm_teaches_with_its_pruned_network(first: Plan, plan: Planner) -> None:
    (teacher,) = teachers_of(plan("name=second", "teacher.run=quickstart/distilled_pruned"))
    assert teacher in {run.jobs["prune"] for run in first.runs if run.arm == "distilled_pruned"}


def test_what_the_run_still_needs_comes_along(first: Plan, plan: Planner, home: Home) -> None:
    made = plan("name=second", "teacher.run=quickstart/distilled")
    ids = {job.job for job in made.jobs}
    for job in made.jobs:
        assert set(job.needs.values()) <= ids
    submit_plan(made, home)


def test_the_newest_submission_counts(first: Plan, plan: Planner, home: Home) -> None:
    newer = make_plan(load_spec(QUICKSTART, ["train.lr=1.0e-3"]), home)
    submit_plan(newer, home)
    made = plan("name=second", "teacher.run=quickstart/original")
    assert teachers_of(made) == {student_of(newer, "original")}


REFUSED = {
    "quickstrat/original": ("no experiment 'quickstrat'", "quickstart"),
    "quickstart/orignal": ("no arm 'orignal'", "original"),
    "quickstart/original/data.split=70/20/10": ("no run of cell", "60/20/20"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_is_not_there_is_refused_with_the_nearest(name: str, first: Plan, plan: Planner) -> None:
    with pytest.raises(DataError) as caught:
        plan("name=second", f"teacher.run={name}")
    assert REFUSED[name][0] in caught.value.what
    assert REFUSED[name][1] in caught.value.fix


@pytest.mark.parametrize(
    "words",
    [
        ("data.split=70/20/10", "teacher.run=quickstart/original"),
        ("data.split_seed=1", "teacher.run=quickstart/original"),
        ("data.short_side=32", "teacher.run=quickstart/original"),
        ("teacher.run=quickstart/original/data.split=80/10/10",),
    ],
)
def test_a_network_that_may_have_seen_the_test_images_is_refused(
    words: tuple[str, ...], first: Plan, plan: Planner
) -> None:
    with pytest.raises(DataError, match=r"test images|no run of split"):
        plan("name=second", *words)


def test_a_network_that_was_trained_on_what_the_set_gives_as_test_images_is_refused(
    home: Home, plan: Planner, wordnet: tuple[str, ...], tmp_path: Path
) -> None:
    """The images and the text of the split are the same; which folder they came in decides what is the test part."""
    whole = tmp_path / "whole"
    for part in ("train", "val"):
        shutil.copytree(tmp_path / "images", whole / part)
    words = (*wordnet, f"data.root={whole}")
    submit_plan(make_plan(load_spec(QUICKSTART, words), home), home)
    assert plan(*words, "name=second", "teacher.run=quickstart/original")
    with pytest.raises(DataError, match="test images") as caught:
        plan(*words, "name=second", "teacher.run=quickstart/original", "data.given=test")
    assert "given" in caught.value.fix


def test_a_seed_that_was_not_run_is_refused_with_those_that_were(first: Plan, plan: Planner) -> None:
    with pytest.raises(DataError, match="no run of seed 7") as caught:
        plan("name=second", "teacher.run=quickstart/original", "teacher.seed=7")
    assert "0, 1" in caught.value.fix


def test_a_reference_that_means_several_runs_must_name_the_cell(home: Home, plan: Planner) -> None:
    submit_plan(make_plan(load_spec(QUICKSTART, ["matrix={train.lr: [0.001, 0.002]}"]), home), home)
    with pytest.raises(DataError, match="is 2 runs") as caught:
        plan("name=second", "teacher.run=quickstart/original")
    name = caught.value.fix.removeprefix("name one: ")
    assert len(teachers_of(plan("name=second", f"teacher.run={name}"))) == 1


def test_a_home_without_experiments_says_to_submit_one(plan: Planner) -> None:
    with pytest.raises(DataError, match="no experiment 'other'") as caught:
        plan("teacher.run=other/original")
    assert caught.value.fix == "submit that experiment first"


def test_what_is_taken_over_is_reckoned_as_its_record_has_it(first: Plan, plan: Planner) -> None:
    made = plan("name=second", "teacher.run=quickstart/distilled_pruned", "resources.cpus=7")
    mine = {job.key: job for job in made.jobs}
    (teacher,) = teachers_of(made)
    told = next(job for job in first.jobs if job.key == teacher)
    assert (mine[teacher].images, mine[teacher].details) == (told.images, told.details)
    assert mine[teacher].canonical == told.canonical


def test_a_job_folder_without_its_settings_is_refused(first: Plan, plan: Planner, home: Home) -> None:
    job = student_of(first, "original")
    home.job(job).spec.unlink()
    with pytest.raises(HomeError, match=rf"{job} has no spec.json") as caught:
        plan("name=second", "teacher.run=quickstart/original")
    assert caught.value.where == str(home.job(job).spec)


def test_a_job_of_another_version_is_refused(first: Plan, plan: Planner, home: Home) -> None:
    spec = home.job(student_of(first, "original")).spec
    write_json(spec, {**read_json(spec), "kind": "prune"})
    with pytest.raises(HomeError, match="made by another version of xp"):
        plan("name=second", "teacher.run=quickstart/original")


def test_a_run_of_an_earlier_version_teaches_nobody(first: Plan, plan: Planner, home: Home) -> None:
    """Its words may mean something else now: one sentence says so, and what to do."""
    spec = home.job(student_of(first, "original")).spec
    write_json(spec, {"version": 1, "kind": "train", "needs": {}, "settings": {"train": {"epochs": 10}}})
    with pytest.raises(VersionError) as caught:
        plan("name=second", "teacher.run=quickstart/original")
    said = "was made by another version of xp: version 1 of job settings, and this xp has version 2"
    assert said in caught.value.what
    assert caught.value.fix.startswith("submit its experiment again")


def test_what_differs_in_the_data_is_named(first: Plan, plan: Planner) -> None:
    with pytest.raises(DataError) as caught:
        plan("name=second", "data.split_seed=1", "data.nested=true", "teacher.run=quickstart/original")
    assert caught.value.fix == "name a run with the same data: section (split_seed, nested differ)"
