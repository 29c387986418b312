"""Controls in a plan: what they share with the arm that they are a control of, and what they need of it."""

from __future__ import annotations

from tests.plan.conftest import Planner
from tests.plan.test_network_jobs import job_of

PRUNED = "distilled_pruned"
SCRATCH = f"arms.scratch={{extends: {PRUNED}, prune: {{control: scratch}}}}"


def test_from_scratch_needs_the_pruned_network_and_trains_as_long(plan: Planner) -> None:
    made = plan(SCRATCH)
    pruned, scratch = job_of(made, PRUNED, "prune"), job_of(made, "scratch", "student")
    assert scratch.needs["pruned"] == pruned.key
    assert job_of(made, "scratch", "pruned").key == pruned.key
    assert job_of(made, "scratch", "pruned_student").key == job_of(made, PRUNED, "student").key
    epochs = [job.canonical["settings"]["train"]["epochs"] for job in (scratch, job_of(made, PRUNED, "student"))]
    assert epochs[0] == epochs[1] + pruned.canonical["settings"]["prune"]["recover_epochs"]
    assert job_of(made, "scratch", "measure").needs == {"parent": scratch.key}
    assert job_of(made, "scratch", "explain").needs["parent"] == scratch.key


def test_none_longer_is_the_job_of_the_whole_network_of_as_many_epochs(plan: Planner) -> None:
    made = plan(
        f"arms.longer={{extends: {PRUNED}, prune: {{control: none_longer}}}}",
        f"arms.written={{extends: {PRUNED}, prune: null, train: {{epochs: 15, lr: 0.002}}}}",
        "train.epochs=12",
    )
    longer = next(run for run in made.runs if run.arm == "longer")
    assert "prune" not in longer.jobs
    assert job_of(made, "longer", "student").canonical["settings"]["train"]["epochs"] == 15


def test_by_chance_over_all_layers_needs_the_widths_of_the_pruned(plan: Planner) -> None:
    made = plan(
        f"arms.{PRUNED}.prune.scope=global",
        f"arms.chance={{extends: {PRUNED}, prune: {{scope: global, control: random}}}}",
    )
    pruned, chance = job_of(made, PRUNED, "prune"), job_of(made, "chance", "prune")
    assert chance.needs == {**pruned.needs, "pruned": pruned.key}


def test_what_is_pruned_before_has_no_student_before_it(plan: Planner) -> None:
    made = plan(f"arms.{PRUNED}.prune.when=before")
    run = next(run for run in made.runs if run.arm == PRUNED)
    assert "student" not in run.jobs
    assert "parent" not in job_of(made, PRUNED, "prune").needs
