"""The jobs of one network: which network each looks at, what it is told, and what it is reckoned to cost."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import DataError
from engine.home.paths import Home
from engine.plan import Job, Plan
from engine.schedule.submit import submit_plan
from tests.plan.conftest import Planner

IMAGES = 1797  # scikit-learn's digits


def job_of(plan: Plan, arm: str, role: str, seed: int = 0) -> Job:
    run = next(run for run in plan.runs if (run.arm, run.seed) == (arm, seed))
    return next(job for job in plan.jobs if job.key == run.jobs[role])


def test_a_pruned_network_is_explained_and_measured_as_it_is_pruned(plan: Planner) -> None:
    made = plan()
    pruned = job_of(made, "distilled_pruned", "prune").key
    assert job_of(made, "distilled_pruned", "explain").needs["parent"] == pruned
    assert job_of(made, "distilled_pruned", "measure").needs == {"parent": pruned}
    whole = job_of(made, "original", "student").key
    assert job_of(made, "original", "explain").needs["parent"] == whole
    assert job_of(made, "original", "measure").needs == {}


def beside(plan: Plan, arm: str) -> object:
    return job_of(plan, arm, "measure").canonical["settings"]["against"]


def network_of(plan: Plan, arm: str) -> object:
    return job_of(plan, arm, "measure").canonical["settings"]["network"]


def test_every_network_is_measured_beside_the_baselines(plan: Planner) -> None:
    """The baseline is `original`; what is pruned from its shape is another network."""
    made = plan(
        "arms.pruned={prune.ratio: 0.2}",
        "arms.same={train.lr: 0.1}",
        "arms.other_way={student.weights: none, train.lr: 0.2}",
    )
    base = network_of(made, "original")
    assert beside(made, "original") is None
    assert [beside(made, arm) for arm in ("sparse", "distilled_pruned", "pruned")] == [base] * 3
    for arm in ("same", "other_way"):
        assert job_of(made, arm, "measure").key == job_of(made, "original", "measure").key, "one shape is one network"


@pytest.mark.parametrize("word", [
    "baseline=null", "arms.original.measure.seconds=9.0",
    "arms.original.data.image_size=64", "arms.original.train.precision=bf16",
])  # fmt: skip
def test_what_cannot_be_measured_in_the_same_way_is_measured_alone(plan: Planner, word: str) -> None:
    """At another size it is another measurement."""
    assert beside(plan(word), "sparse") is None


def test_a_pruned_baseline_is_another_network_for_each_seed_and_measured_alone(plan: Planner) -> None:
    made = plan("baseline=distilled_pruned")
    assert [beside(made, arm) for arm in ("original", "distilled_pruned")] == [None, None]


def test_a_way_of_computing_that_is_named_is_measured_for_itself(plan: Planner) -> None:
    made = plan("arms.original.student.attention={kind: longformer, radius: 2, globals: 4, backend: sdpa}")
    assert job_of(made, "sparse", "measure").key != job_of(made, "original", "measure").key
    assert beside(made, "sparse") == network_of(made, "original")


def test_the_baseline_is_that_of_the_same_point(plan: Planner) -> None:
    made = plan("matrix={data.image_size: [56, 64]}")
    for run in made.runs:
        if run.arm == "sparse":
            settings = next(job for job in made.jobs if job.key == run.jobs["measure"]).canonical["settings"]
            assert settings["against"] == network_of(made, "original")
            assert str(settings["image_size"]) in run.cell


def test_a_pruned_network_recovers_with_the_lesson_of_its_student(plan: Planner) -> None:
    made = plan()
    student, pruned = job_of(made, "distilled_pruned", "student"), job_of(made, "distilled_pruned", "prune")
    assert pruned.needs == {**student.needs, "parent": student.key}
    assert pruned.canonical["settings"]["distill"] == student.canonical["settings"]["distill"] is not None
    assert pruned.canonical["settings"]["seed"] == student.canonical["settings"]["seed"]


def test_seeds_are_those_of_the_run_and_of_the_teacher(plan: Planner) -> None:
    made = plan("teacher.seed=7", "seeds=[3]")
    seeds = {
        role: job_of(made, "distilled_pruned", role, 3).canonical["settings"]["seed"]
        for role in ("teacher", "student", "prune")
    }
    assert seeds == {"teacher": 7, "student": 3, "prune": 3}


def test_untaught_students_have_no_lesson(plan: Planner) -> None:
    student = job_of(plan(), "original", "student")
    assert student.canonical["settings"]["distill"] is None
    assert student.needs.keys() == {"pack"}


def test_a_teacher_that_only_labels_teaches_nobody(plan: Planner) -> None:
    made = plan("distill.loss=ce", "arms.distilled.distill.loss=ce")
    assert job_of(made, "distilled", "student").needs.keys() == {"pack"}


@pytest.mark.parametrize(("words", "jobs"), [((), 1), (("data.view_seed=run",), 2)])
def test_views_follow_the_seed_only_where_they_are_the_runs(plan: Planner, words: tuple[str, ...], jobs: int) -> None:
    made = plan("seeds=[0, 5]", *words)
    seen = {job_of(made, "distilled", "student", seed).canonical["settings"]["data"]["view_seed"] for seed in (0, 5)}
    assert seen == ({0} if jobs == 1 else {0, 5})
    assert len({job_of(made, "distilled", "targets", seed).key for seed in (0, 5)}) == jobs


def test_work_is_reckoned_in_images(plan: Planner) -> None:
    made = plan("data.split=80/10/10", "explain.images=6")
    part = IMAGES * 0.8
    assert job_of(made, "original", "pack").images == IMAGES
    assert job_of(made, "original", "student").images == pytest.approx(10 * part)
    assert job_of(made, "distilled", "teacher").images == pytest.approx(8 * part)
    assert job_of(made, "distilled", "targets").images == pytest.approx(4 * part + IMAGES)
    assert job_of(made, "distilled_pruned", "prune").images == pytest.approx((3 + 1) * part)
    assert job_of(made, "original", "explain").images == 60
    assert job_of(made, "original", "measure").images == 500
    assert job_of(made, "sparse", "measure").images == 1000, "the baseline's network with it"


def test_disk_is_reckoned_in_bytes(plan: Planner) -> None:
    made = plan()
    assert job_of(made, "original", "pack").bytes == IMAGES * 64 * 64 * 3
    targets = job_of(made, "distilled", "targets")
    assert targets.bytes == int((4 * IMAGES * 0.6 + IMAGES) * 10 * 2)  # ten logits in fp16
    assert job_of(made, "original", "student").bytes == pytest.approx(136e3 * 4 * 7, rel=0.01)
    named = plan("student={arch: tiny_vit_11m, dims: null, depths: null, heads: null, windows: null}")
    assert job_of(named, "original", "student").bytes == pytest.approx(10.6e6 * 4 * 7, rel=0.1)
    assert job_of(made, "distilled", "teacher").bytes == int(25e6 * 4 * 7)


def test_a_packed_photograph_of_jpeg_is_smaller(plan: Planner) -> None:
    assert job_of(plan("data.format=jpeg"), "original", "pack").bytes == int(IMAGES * 64 * 64 * 0.46)


def test_how_a_job_is_run_is_told_beside_its_settings(plan: Planner) -> None:
    words = ("data.workers=3", "data.cache=raw", "train.memory=lean", "train.on_oom=stop", "train.save_minutes=2")
    made = plan(*words, "resources.cpus=7")
    for role in ("student", "measure", "explain", "prune", "targets"):
        details = job_of(made, "distilled_pruned", role).details
        assert (details.workers, details.cache, details.save_minutes) == (3, "raw", 2)
        assert (details.memory, details.resources.cpus) == ("lean", 7)
        assert details.on_oom == "stop"
    assert job_of(made, "distilled", "teacher").details.memory == "standard"  # its own training words


def test_the_network_is_measured_and_explained_as_the_arm_has_it(plan: Planner) -> None:
    made = plan("data.image_size=64", "train.precision=bf16")
    for role in ("student", "measure", "explain"):
        network = job_of(made, "sparse", role).canonical["settings"]["network"]
        assert network["attention"]["kind"] == "longformer"
        assert job_of(made, "original", role).canonical["settings"]["network"]["attention"]["kind"] == "window"
        assert job_of(made, "sparse", role).canonical["settings"]["num_classes"] == 10
    measured = job_of(made, "sparse", "measure").canonical["settings"]
    assert (measured["image_size"], measured["precision"]) == (64, "bf16")


def test_a_students_file_is_found_by_path_and_named_where_it_is_absent(plan: Planner, tmp_path: Path) -> None:
    file = tmp_path / "student.safetensors"
    absent = plan(f"student.weights={file}")
    student = job_of(absent, "original", "student")
    assert (student.job, student.details.weights) == (None, str(file))
    assert str(file) in str(student.reason)
    save_file({"head.weight": torch.zeros(10, 4)}, file)
    there = job_of(plan(f"student.weights={file}"), "original", "student")
    assert there.job is not None
    assert there.reason is None
    assert str(file) not in str(there.canonical)


def test_speed_waits_for_the_number_of_classes(plan: Planner, tmp_path: Path) -> None:
    made = plan("data.source=folder", f"data.root={tmp_path}/gone")
    assert job_of(made, "original", "measure").job is None
    assert "number of classes" in str(job_of(made, "original", "measure").reason)
    assert "images are not on this machine" in str(job_of(made, "original", "pack").reason)


def test_boxes_go_to_the_job_that_explains_and_to_no_other(
    plan: Planner, wordnet: tuple[str, ...], tmp_path: Path
) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text("image,xmin,ymin,xmax,ymax\nn01440764/3.png,1,2,8,8\n")
    made, bare = plan(*wordnet, f"data.boxes={table}"), plan(*wordnet)
    explain = job_of(made, "original", "explain")
    assert explain.details.boxes == str(table)
    assert "boxes" in explain.canonical["settings"]
    assert "boxes" not in job_of(bare, "original", "explain").canonical["settings"]
    others = [job for job in made.jobs if job.kind != "explain"]
    assert {job.key for job in others} == {job.key for job in bare.jobs if job.kind != "explain"}
    assert {job.details.boxes for job in others} == {None}


def test_boxes_that_are_absent_hold_up_the_explain_job_alone(
    plan: Planner, wordnet: tuple[str, ...], tmp_path: Path, home: Home
) -> None:
    made = plan(*wordnet, f"data.boxes={tmp_path}/gone.csv")
    assert {job.kind for job in made.jobs if job.job is None} == {"explain"}
    assert all("boxes" in str(job.reason) for job in made.jobs if job.job is None)
    assert made.missing == (
        f"data.boxes: there is no {tmp_path}/gone.csv\n"
        "fix: name the folder of .xml or mask .png files, or the .csv, or write data.boxes: null",
    )
    with pytest.raises(DataError, match=r"gone\.csv"):
        submit_plan(made, home)
