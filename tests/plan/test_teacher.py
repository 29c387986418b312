"""Who teaches: what trains a teacher, what its targets are told of it, and where its words come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import DataError
from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import Job, Plan, make_plan
from engine.schedule.submit import submit_plan
from engine.spec import Train
from engine.spec.job_settings import TrainSettings
from tests.plan.conftest import QUICKSTART, Planner

ATTO = "{arch: timm/convnextv2_atto, options: {depths: [1, 1, 1, 1], dims: [8, 16, 32, 64]}}"
PROBE = ("teacher.train=null", "teacher.options=null", "teacher.weights=pretrained", "teacher.head=probe")


def job_of(plan: Plan, role: str, arm: str = "distilled", seed: int = 0) -> Job:
    run = next(run for run in plan.runs if (run.arm, run.seed) == (arm, seed))
    return next(job for job in plan.jobs if job.key == run.jobs[role])


def test_a_teacher_trains_by_its_own_words_and_on_the_students_images(plan: Planner) -> None:
    made = plan("train.lr=0.5", "data.crop_share=0.7")
    teacher = job_of(made, "teacher").canonical["settings"]
    assert (teacher["train"]["epochs"], teacher["train"]["batch_size"], teacher["train"]["lr"]) == (8, 32, 2.0e-3)
    assert teacher["network"]["arch"] == "timm/convnextv2_atto"
    assert teacher["data"]["crop_share"] == 0.7
    assert teacher["distill"] is None
    assert teacher["head"] is None


def test_a_teacher_without_training_words_trains_as_the_student_does(plan: Planner) -> None:
    words = ("teacher.train=null", "teacher.options=null", "teacher.weights=pretrained", "teacher.head=finetune")
    made = plan(*words, "train.epochs=6")
    assert (
        job_of(made, "teacher").canonical["settings"]["train"] == job_of(made, "student").canonical["settings"]["train"]
    )
    assert job_of(made, "teacher").canonical["settings"]["head"] == "finetune"


def test_a_teacher_that_is_the_student_of_another_arm_is_one_job_with_it(plan: Planner) -> None:
    sizes = "dims: [16, 32, 48, 64], depths: [1, 1, 2, 1], heads: [1, 2, 3, 4], windows: [7, 7, 4, 2], drop_path: 0.0"
    words = f"{{arch: tiny_vit, {sizes}"
    train = "{epochs: 10, batch_size: 64, lr: 2.0e-3, warmup_epochs: 1, precision: fp32, threads: 1}"
    made = plan(f"arms.distilled.teacher={words}, train: {train}, options: null}}", "arms.distilled_pruned=null")
    assert job_of(made, "teacher").key == job_of(made, "student", "original").key


def test_targets_are_told_what_answers_and_how_it_is_asked(plan: Planner) -> None:
    made = plan("teacher.logit_scale=3", "teacher.train.precision=bf16", "teacher.train.threads=2")
    told = job_of(made, "targets").canonical["settings"]
    assert told["network"] == job_of(made, "teacher").canonical["settings"]["network"]
    assert (told["head"], told["logit_scale"], told["precision"], told["threads"]) == ("own", 3, "bf16", 2)
    assert [told[word] for word in ("expect", "classes", "mean", "std")] == [None] * 4


def test_a_given_teacher_is_told_of_as_its_words_have_it(plan: Planner, tmp_path: Path) -> None:
    file = tmp_path / "given.safetensors"
    save_file({"head.fc.weight": torch.zeros(10, 4)}, file)
    classes = [str(digit) for digit in reversed(range(10))]
    words = ("teacher.mean=[0.1, 0.2, 0.3]", "teacher.std=[0.4, 0.5, 0.6]", f"teacher.classes={classes}")
    made = plan(
        "teacher.train=null", f"teacher.weights={file}", "teacher.image_size=96", "teacher.logit_scale=2", *words
    )
    told = job_of(made, "targets").canonical["settings"]
    assert (told["mean"], told["std"], told["classes"]) == ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6], classes)
    assert (told["head"], told["data"]["image_size"], told["logit_scale"]) == ("slice", 96, 2)


def test_a_probe_is_told_what_decides_its_numbers(plan: Planner) -> None:
    made = plan(*PROBE, "train.precision=bf16", "train.threads=2", "train.deterministic=true")
    told = job_of(made, "teacher").settings
    assert isinstance(told, TrainSettings)
    assert told.train == Train(precision="bf16", threads=2, deterministic=True)
    assert job_of(made, "teacher").images == pytest.approx(1797 * 0.6)
    plain = plan(*PROBE)
    assert job_of(plain, "teacher").key != job_of(made, "teacher").key


def test_an_assistant_trains_by_its_own_words_then_the_teachers(plan: Planner) -> None:
    own = f"{ATTO[:-1]}, train: {{epochs: 5}}}}"
    made = plan(f"teacher.assistants=[{own}, {ATTO}]", "teacher.seed=4")
    first, second = job_of(made, "assistant_1"), job_of(made, "assistant_2")
    assert (first.canonical["settings"]["train"]["epochs"], second.canonical["settings"]["train"]["epochs"]) == (5, 8)
    assert first.canonical["settings"]["seed"] == second.canonical["settings"]["seed"] == 4


def test_an_assistant_without_a_training_teacher_trains_as_the_student_does(
    plan: Planner, wordnet: tuple[str, ...]
) -> None:
    made = plan(*PROBE, *wordnet, f"teacher.assistants=[{ATTO}]", "train.epochs=6")
    assert (
        job_of(made, "assistant_1").canonical["settings"]["train"]
        == job_of(made, "student").canonical["settings"]["train"]
    )


def test_targets_of_an_assistant_are_of_the_assistant(plan: Planner) -> None:
    made = plan(f"teacher.assistants=[{ATTO}]", "teacher.logit_scale=5")
    helper, targets = job_of(made, "assistant_1"), job_of(made, "targets")
    assert targets.canonical["settings"]["network"] == helper.canonical["settings"]["network"]
    assert (targets.needs["teacher"], targets.canonical["settings"]["logit_scale"]) == (helper.key, 1)
    assert job_of(made, "teacher_targets").canonical["settings"]["logit_scale"] == 5


def test_a_network_by_reference_is_told_of_as_its_run_has_it(plan: Planner, home: Home) -> None:
    submit_plan(make_plan(load_spec(QUICKSTART, ["data.image_size=64", "train.precision=bf16"]), home), home)
    made = plan("name=second", "teacher={run: quickstart/sparse, logit_scale: 4}")
    told = job_of(made, "targets").canonical["settings"]
    assert told["network"]["attention"]["kind"] == "longformer"
    assert (told["data"]["image_size"], told["precision"], told["logit_scale"]) == (64, "bf16", 4)
    assert (told["head"], told["rows"]) == ("own", "train")


def test_a_head_of_imagenet_is_refused_for_other_classes(
    plan: Planner, wordnet: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "images" / "n01440764").rename(tmp_path / "images" / "fish")
    with pytest.raises(DataError) as caught:
        plan("teacher.train=null", "teacher.options=null", "teacher.weights=pretrained", *wordnet)
    assert caught.value.where == "teacher.head"
