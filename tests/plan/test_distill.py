"""Teachers in a plan: what is shared, what a job is told, and that nobody learns from one who saw their test images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.core.distill.encoding import row_format
from engine.errors import DataError
from engine.home.paths import Home
from engine.inputs.missing import absent_inputs
from engine.load import load_spec
from engine.plan import Job, Plan, Run, count_passes, make_plan
from engine.plan.distill import row_bytes
from engine.schedule.submit import submit_plan
from engine.spec import Data
from tests.plan.conftest import QUICKSTART, Planner

SPLITS = "matrix={data.split: [60/20/20, 80/10/10]}"
GIVEN = ("teacher.train=null", "teacher.options=null", "teacher.weights=pretrained")
ATTO = "{arch: timm/convnextv2_atto, options: {depths: [1, 1, 1, 1], dims: [8, 16, 32, 64]}}"
TINY = "{arch: tiny_vit, dims: [8, 16, 32, 32], depths: [1, 1, 1, 1], heads: [1, 2, 2, 2], windows: [7, 7, 4, 2]}"
REFERENCE = "{arch: timm/resnet10t, train: {epochs: 2}}"


def keys_of(plan: Plan, role: str) -> set[str]:
    return {run.jobs[role] for run in plan.runs if role in run.jobs}


def job_of(plan: Plan, key: str) -> Job:
    return next(job for job in plan.jobs if job.key == key)


def before(plan: Plan, key: str) -> Iterator[Job]:
    """Everything that `key` is made from, itself first."""
    job = job_of(plan, key)
    yield job
    for need in job.needs.values():
        yield from before(plan, need)


def weights_at(path: Path, value: float = 0.0, outputs: int = 10) -> Path:
    save_file({"head.fc.weight" if outputs else "stem.weight": torch.full((outputs or 3, 4), value)}, path)
    return path


# What is shared -------------------------------------------------------------------------------------------------------


def test_a_trained_teacher_and_its_targets_serve_all_arms_and_seeds_of_a_split(plan: Planner) -> None:
    made = plan(SPLITS)
    assert len(keys_of(made, "teacher")) == len(keys_of(made, "targets")) == 2
    assert sum("targets" in run.jobs for run in made.runs) == 8
    for run in made.runs:
        if "targets" in run.jobs:
            assert job_of(made, run.jobs["targets"]).canonical["settings"]["data"]["split"] == run.split
            assert job_of(made, run.jobs["targets"]).canonical["settings"]["rows"] == "train"


def test_a_teacher_that_saw_no_split_is_asked_once_for_both(plan: Planner, wordnet: tuple[str, ...]) -> None:
    made = plan(SPLITS, *GIVEN, *wordnet)
    (targets,) = keys_of(made, "targets")
    job = job_of(made, targets)
    assert set(job.needs) == {"pack"}
    assert job.canonical["settings"]["rows"] == "all"
    assert job.canonical["settings"]["head"] == "slice"
    assert job.canonical["settings"]["data"]["split"] == Data.model_fields["split"].default  # and means nothing
    assert sum(run.jobs.get("targets") == targets for run in made.runs) == 8
    assert not keys_of(made, "teacher")


def test_the_saving_is_counted(plan: Planner) -> None:
    passes = count_passes(plan())
    assert passes is not None
    images = 1797 * 0.6
    assert passes.planned == round(4 * images + 1797)
    assert passes.alone == round(images * (2 * 10 + 2 * 10 + 2 * (3 + 1)))
    assert "88% saved" in str(passes)


def test_untaught_experiments_count_no_passes(plan: Planner) -> None:
    assert count_passes(plan("distill.loss=ce", "arms.distilled=null", "arms.distilled_pruned=null")) is None


# Nobody learns from a teacher that saw their test images --------------------------------------------------------------

CASES: dict[str, tuple[str, ...]] = {
    "trained here": (),
    "another seed of the split": ("matrix={data.split_seed: [0, 1]}",),
    "nested splits": ("matrix={data.nested: [true, false]}",),
    "fine-tuned": (SPLITS, "teacher.weights=pretrained", "teacher.options=null", "teacher.head=finetune"),
    "probed": (SPLITS, *GIVEN, "teacher.head=probe"),
    "through assistants": (SPLITS, f"teacher.assistants=[{ATTO}, {TINY}]"),
    "in the step": (SPLITS, "teacher.targets=online"),
    "views of the run": (SPLITS, "data.view_seed=run"),
    "a reference": (SPLITS, f"distill.temperature={{match: entropy, reference: {REFERENCE}}}"),
    "several views": (SPLITS, "data.views=2", "teacher.targets=auto", f"teacher.assistants=[{ATTO}]"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_network_behind_a_student_learnt_from_its_own_training_part(case: str, plan: Planner) -> None:
    made = plan(*CASES[case])
    taught = [run for run in made.runs if "targets" in run.jobs]
    assert taught
    for run in taught:
        assert leaks(made, run) == []


def test_a_given_teachers_assistants_belong_to_their_split(plan: Planner, wordnet: tuple[str, ...]) -> None:
    made = plan(SPLITS, *GIVEN, *wordnet, f"teacher.assistants=[{ATTO}]")
    assert len(keys_of(made, "teacher_targets")) == 1
    assert len(keys_of(made, "assistant_1")) == len(keys_of(made, "targets")) == 2
    for run in made.runs:
        assert leaks(made, run) == []


def leaks(plan: Plan, run: Run) -> list[Job]:
    """Return what trained on another part than the run's own, among all that its last network is made from."""
    mine = run.settings["data"]
    words = ("split", "split_seed", "nested", "given")
    trained = [job for job in before(plan, run.jobs["student"]) if job.kind in ("train", "prune")]
    return [job for job in trained if any(job.canonical["settings"]["data"][word] != mine[word] for word in words)]


# What a job is told ---------------------------------------------------------------------------------------------------


def test_a_chain_is_a_link_after_the_other(plan: Planner) -> None:
    made = plan(f"teacher.assistants=[{ATTO}, {TINY}]", "seeds=[0, 1, 2]")
    run = next(run for run in made.runs if run.arm == "distilled")
    roles = ["teacher", "teacher_targets", "assistant_1", "assistant_1_targets", "assistant_2", "targets", "student"]
    assert [role for role in run.jobs if role in roles] == roles
    chain = [run.jobs[role] for role in roles]
    for place, key in enumerate(chain[1:], 1):
        job = job_of(made, key)
        assert job.needs["teacher" if job.kind == "targets" else "targets"] == chain[place - 1]
    assert all(len(keys_of(made, role)) == 1 for role in roles[:-1])
    assert job_of(made, run.jobs["assistant_1"]).canonical["settings"]["distill"]["loss"] == "hinton"
    assert job_of(made, run.jobs["assistant_1"]).canonical["settings"]["train"]["epochs"] == 8


def test_arms_may_have_chains_of_different_lengths_and_share_the_links_they_have_in_common(plan: Planner) -> None:
    made = plan(
        f"arms.distilled.teacher.assistants=[{ATTO}]", f"arms.distilled_pruned.teacher.assistants=[{ATTO}, {TINY}]"
    )
    assert len(keys_of(made, "assistant_1")) == 1
    assert len(keys_of(made, "assistant_2")) == 1
    assert len(keys_of(made, "targets")) == 2


def test_another_experiment_shares_the_whole_chain(plan: Planner) -> None:
    chain = f"teacher.assistants=[{ATTO}]"
    one, other = plan(chain), plan(chain, "name=other", "train.lr=0.1")
    for role in ("teacher", "teacher_targets", "assistant_1", "targets"):
        assert keys_of(one, role) == keys_of(other, role)


def test_scaled_logits_keep_the_teacher_and_change_its_targets(plan: Planner) -> None:
    plain, sure = plan(), plan("teacher.logit_scale=8")
    assert keys_of(plain, "teacher") == keys_of(sure, "teacher")
    assert keys_of(plain, "targets") != keys_of(sure, "targets")
    assert job_of(sure, *keys_of(sure, "targets")).canonical["settings"]["logit_scale"] == 8


def test_a_calibrated_teacher_has_the_same_targets(plan: Planner) -> None:
    plain, calibrated = plan(), plan("teacher.calibrate=true")
    assert keys_of(plain, "targets") == keys_of(calibrated, "targets")
    student = job_of(calibrated, next(run for run in calibrated.runs if run.arm == "distilled").jobs["student"])
    assert student.canonical["settings"]["distill"]["calibrate"] is True


def test_a_probe_is_fitted_once_whatever_the_students_train_like(plan: Planner) -> None:
    words = (*GIVEN, "teacher.head=probe")
    one, other = plan(*words), plan(*words, "train.lr=0.1", "train.epochs=3", "data.views=4")
    assert keys_of(one, "teacher") == keys_of(other, "teacher")
    assert job_of(one, *keys_of(one, "teacher")).canonical["settings"]["head"] == "probe"


def test_a_teacher_sees_images_at_its_own_size(plan: Planner) -> None:
    made = plan("teacher.image_size=64")
    for role in ("teacher", "targets"):
        assert job_of(made, *keys_of(made, role)).canonical["settings"]["data"]["image_size"] == 64
    assert all(job.canonical["settings"]["data"]["image_size"] == 56 for job in made.jobs if job.kind == "prune")


def test_a_reference_is_examined_and_not_cached(plan: Planner) -> None:
    made = plan(f"distill.temperature={{match: entropy, reference: {REFERENCE}}}")
    (reference,) = keys_of(made, "reference")
    assert job_of(made, reference).canonical["settings"]["views"] == 0
    run = next(run for run in made.runs if run.arm == "distilled")
    student = job_of(made, run.jobs["student"])
    assert student.needs["reference"] == reference
    assert student.canonical["settings"]["distill"]["temperature"] == {"match": "entropy", "at": 1}


def test_an_online_student_needs_the_network_itself(plan: Planner) -> None:
    made = plan("teacher.targets=online")
    run = next(run for run in made.runs if run.arm == "distilled")
    student = job_of(made, run.jobs["student"])
    assert student.needs["teacher"] == run.jobs["teacher"]
    assert student.canonical["settings"]["distill"]["targets"] == "online"
    assert job_of(made, run.jobs["targets"]).canonical["settings"]["views"] == 0


def test_recovery_that_is_longer_than_training_has_targets_of_its_own_views(plan: Planner) -> None:
    """Without `data.views` each epoch looks at views of its own, and a recovery reads the same targets."""
    made = plan("data.views=null", "arms.distilled_pruned.prune.recover_epochs=15", "train.epochs=10")
    views = {
        run.arm: job_of(made, run.jobs["targets"]).canonical["settings"]["views"]
        for run in made.runs
        if "targets" in run.jobs
    }
    assert views == {"distilled": 10, "distilled_pruned": 15}
    short = plan("data.views=null", "arms.distilled_pruned.prune.recover_epochs=3", "train.epochs=10")
    assert {job_of(short, key).canonical["settings"]["views"] for key in keys_of(short, "targets")} == {10}
    unpruned = plan(
        "data.views=null", "arms.distilled_pruned.prune={ratio: 0.0, recover_epochs: 15}", "train.epochs=10"
    )
    assert {job_of(unpruned, key).canonical["settings"]["views"] for key in keys_of(unpruned, "targets")} == {10}


def test_views_that_are_counted_are_as_many_as_the_targets_have(plan: Planner) -> None:
    made = plan("data.views=3", f"teacher.assistants=[{ATTO}]")
    for role in ("teacher_targets", "targets"):
        assert {job_of(made, key).canonical["settings"]["views"] for key in keys_of(made, role)} == {3}


def test_an_assistant_and_its_targets_follow_the_teachers_seed(plan: Planner) -> None:
    """The run's seed belongs to the student alone, or no assistant would be shared by the seeds."""
    made = plan(f"teacher.assistants=[{ATTO}]", "data.view_seed=run", "teacher.seed=4", "seeds=[1, 2]")
    assert len(keys_of(made, "teacher_targets")) == len(keys_of(made, "assistant_1")) == 1
    assert len(keys_of(made, "targets")) == 2
    for role in ("teacher", "teacher_targets", "assistant_1"):
        assert {job_of(made, key).canonical["settings"]["data"]["view_seed"] for key in keys_of(made, role)} == {4}
    for run in made.runs:
        if "targets" in run.jobs:
            assert job_of(made, run.jobs["targets"]).canonical["settings"]["data"]["view_seed"] == run.seed


def test_an_assistants_targets_have_a_view_for_each_of_its_epochs(plan: Planner) -> None:
    helper = f"{ATTO[:-1]}, train: {{epochs: 6}}}}"
    made = plan("data.views=null", f"teacher.assistants=[{helper}]", "train.epochs=10")
    views = {
        role: job_of(made, *keys_of(made, role)).canonical["settings"]["views"]
        for role in ("teacher_targets", "targets")
    }
    assert views == {"teacher_targets": 6, "targets": 10}


def test_what_a_loss_weighs_is_told_spelt_out_or_not(plan: Planner) -> None:
    made = plan("distill.loss=lskd", "arms.distilled.distill={loss: lskd}")
    student = job_of(made, next(run for run in made.runs if run.arm == "distilled").jobs["student"])
    assert (
        student.canonical["settings"]["distill"]["weight"],
        student.canonical["settings"]["distill"]["label_weight"],
    ) == (9, 0.1)


def test_a_reference_that_is_trained_plays_a_role_in_the_run(plan: Planner) -> None:
    made = plan(f"distill.temperature={{match: entropy, reference: {REFERENCE}}}")
    (teacher,) = keys_of(made, "reference_teacher")
    assert job_of(made, *keys_of(made, "reference")).needs["teacher"] == teacher
    assert job_of(made, teacher).canonical["settings"]["network"]["arch"] == "timm/resnet10t"


# A file of weights ----------------------------------------------------------------------------------------------------


def test_a_file_counts_by_its_content_and_is_found_by_its_path(plan: Planner, tmp_path: Path) -> None:
    words = ("teacher.train=null", "teacher.weights=")
    one, same = weights_at(tmp_path / "one.safetensors"), weights_at(tmp_path / "same.safetensors")
    other = weights_at(tmp_path / "other.safetensors", 1.0)
    plans = [plan(words[0], words[1] + str(path)) for path in (one, same, other)]
    targets = [keys_of(made, "targets") for made in plans]
    assert targets[0] == targets[1] != targets[2]
    assert job_of(plans[0], *targets[0]).details.weights == str(one)
    student = job_of(plans[0], next(run for run in plans[0].runs if run.arm == "distilled").jobs["student"])
    assert student.details.teacher_weights == [str(one)]
    assert str(tmp_path) not in str([job.canonical for job in plans[0].jobs])


def test_an_absent_file_warns_makes_the_plan_provisional_and_cannot_be_submitted(home: Home, tmp_path: Path) -> None:
    words = ("teacher.train=null", f"teacher.weights={tmp_path}/gone.safetensors")
    spec = load_spec(QUICKSTART, words)
    assert any("gone.safetensors" in line and "fix: " in line for line in absent_inputs(spec))
    made = make_plan(spec, home)
    taught = next(run for run in made.runs if run.arm == "distilled")
    assert job_of(made, taught.jobs["targets"]).job is None
    assert job_of(made, taught.jobs["student"]).job is None
    with pytest.raises(DataError, match="no weights file"):
        submit_plan(made, home)
    assert not home.records(spec.name)


def broken_at(path: Path) -> Path:
    path.write_bytes(b"no tensors in here")
    return path


MISFITS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...], str, str]] = {
    "no safetensors file": (broken_at, (), "cannot be read", "only the .safetensors format"),
    "a head of another size": (
        lambda path: weights_at(path, outputs=7),
        (),
        "head has 7 classes and the data 10",
        "teacher.classes",
    ),
    "a head of ImageNet, and classes that are none of it": (
        lambda path: weights_at(path, outputs=1000),
        (),
        "head has 1000 classes and the data 10",
        "probe or finetune",
    ),
    "a list of classes that is too short": (
        lambda path: weights_at(path, outputs=12),
        (f"teacher.classes={[str(digit) for digit in range(10)]}",),
        "lists 10 classes, and the head has 12",
        "every output's class",
    ),
    "no head": (lambda path: weights_at(path, outputs=0), (), "no classifier", "probe or finetune"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_weights_file_that_cannot_teach_is_refused_by_the_plan(case: str, plan: Planner, tmp_path: Path) -> None:
    make, words, what, fix = MISFITS[case]
    file = make(tmp_path / "wrong.safetensors")
    with pytest.raises(DataError) as caught:
        plan("teacher.train=null", f"teacher.weights={file}", *words)
    assert caught.value.where == "teacher.weights"
    assert str(file) in caught.value.what
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_a_head_of_imagenet_is_taken_where_the_classes_are_named_by_wordnet(
    plan: Planner, wordnet: tuple[str, ...], tmp_path: Path
) -> None:
    file = weights_at(tmp_path / "imagenet.safetensors", outputs=1000)
    made = plan("teacher.train=null", f"teacher.weights={file}", *wordnet)
    assert job_of(made, *keys_of(made, "targets")).canonical["settings"]["head"] == "slice"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("student", ("student.weights=FILE",)),
        ("teacher.assistants.0", (f"teacher.assistants=[{ATTO[:-1]}, weights: FILE}}]",)),
        (
            "distill.temperature.reference",
            ("distill.temperature={match: entropy, reference: {arch: timm/resnet10t, weights: FILE}}",),
        ),
    ],
)
def test_every_network_of_a_run_has_its_file_looked_at(
    path: str, words: tuple[str, ...], plan: Planner, tmp_path: Path
) -> None:
    file = broken_at(tmp_path / "wrong.safetensors")
    with pytest.raises(DataError, match="cannot be read") as caught:
        plan(*(word.replace("FILE", str(file)) for word in words))
    assert caught.value.where == f"{path}.weights"


def test_a_probe_needs_no_head_in_its_file(plan: Planner, tmp_path: Path) -> None:
    file = weights_at(tmp_path / "headless.safetensors", outputs=0)
    made = plan("teacher.train=null", f"teacher.weights={file}", "teacher.head=probe")
    assert job_of(made, *keys_of(made, "teacher")).canonical["settings"]["head"] == "probe"


def test_a_head_of_other_classes_is_refused_before_anything_is_submitted(
    plan: Planner, wordnet: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "images" / "n01440764").rename(tmp_path / "images" / "fish")
    with pytest.raises(DataError, match="'fish'") as caught:
        plan(*GIVEN, *wordnet)
    assert "probe" in caught.value.fix


@pytest.mark.parametrize("classes", [2, 100, 1000, 1001, 21841])
def test_a_cache_is_planned_as_large_as_it_is_written(classes: int) -> None:
    assert row_bytes(classes) == row_format(classes).dtype.itemsize
