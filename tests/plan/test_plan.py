"""Planning: which jobs there are, which are shared, what an id follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import DataError
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import PLANNERS, Plan, make_plan
from engine.plan.draft import Cost, RunDraft
from engine.plan.network_jobs import run_details
from engine.schedule.placing import Demand, read_demand
from engine.schedule.submit import submit_plan
from engine.spec.job_file import read_details, read_job
from engine.spec.job_kinds import KINDS, JobKind, final_network, load_named
from engine.spec.job_settings import JobSettings

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def plan_with(home: Home, *overrides: str) -> Plan:
    return make_plan(load_spec(QUICKSTART, overrides), home)


def jobs_of(plan: Plan, role: str, arm: str | None = None) -> set[str]:
    return {run.jobs[role] for run in plan.runs if role in run.jobs and arm in (None, run.arm)}


def test_teacher_and_targets_are_shared_by_arms_and_seeds(home: Home) -> None:
    plan = plan_with(home)
    assert len(jobs_of(plan, "teacher")) == len(jobs_of(plan, "targets")) == len(jobs_of(plan, "pack")) == 1
    assert len(jobs_of(plan, "student", "distilled")) == 2


def test_pruned_arm_starts_from_the_trained_network(home: Home) -> None:
    plan = plan_with(home)
    assert jobs_of(plan, "student", "distilled_pruned") == jobs_of(plan, "student", "distilled")
    parents = {job.needs["parent"] for job in plan.jobs if job.kind == "prune"}
    assert parents == jobs_of(plan, "student", "distilled")


def test_every_job_comes_after_its_needs(home: Home) -> None:
    seen: set[str] = set()
    for job in plan_with(home).jobs:
        assert set(job.needs.values()) <= seen
        seen.add(job.key)


def test_planning_twice_gives_the_same_ids(home: Home) -> None:
    assert [job.job for job in plan_with(home).jobs] == [job.job for job in plan_with(home).jobs]


@pytest.mark.parametrize("override", ["resources.cpus=1", "title=Another", "data.workers=2", "train.save_minutes=1"])
def test_how_and_titles_never_change_an_id(home: Home, override: str) -> None:
    assert [job.job for job in plan_with(home).jobs] == [job.job for job in plan_with(home, override).jobs]


def test_packing_asks_for_no_gpu(home: Home) -> None:
    plan = plan_with(home, "resources.gpus=1")
    demands = {job.kind: job.details.resources.gpus for job in plan.jobs if job.kind in ("pack", "train")}
    assert demands == {"pack": 0, "train": 1}


def write_images(root: Path, counts: dict[str, int]) -> str:
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.png").write_bytes(f"{name} {number}".encode())
    return f"data.root={root}"


def test_an_impossible_split_is_refused_before_anything_is_packed(home: Home, tmp_path: Path) -> None:
    root = write_images(tmp_path / "set", {"cat": 40, "owl": 3})
    with pytest.raises(DataError, match=r"'owl' has 3 images: too few for a 80/10/10 split.*\nfix: "):
        plan_with(home, "data.source=folder", root, "data.split=80/10/10")
    assert plan_with(home, "data.source=folder", root, "data.classes=[cat, owl]", "data.split=60/0/40").runs


def test_a_given_test_folder_makes_another_split_of_the_same_pack(home: Home, tmp_path: Path) -> None:
    counts = {"train/a": 8, "train/b": 8, "val/a": 3, "val/b": 3}
    base = ("data.source=folder", write_images(tmp_path / "set", counts))
    merged, given = plan_with(home, *base), plan_with(home, *base, "data.given=test")
    assert jobs_of(merged, "pack") == jobs_of(given, "pack")
    assert jobs_of(merged, "student").isdisjoint(jobs_of(given, "student"))


def test_new_student_setting_keeps_the_teacher(home: Home) -> None:
    before, after = plan_with(home), plan_with(home, "train.weight_decay=0.1")
    assert jobs_of(before, "teacher") == jobs_of(after, "teacher")
    assert jobs_of(before, "targets") == jobs_of(after, "targets")
    assert not jobs_of(before, "student") & jobs_of(after, "student")


def test_another_split_means_another_teacher(home: Home) -> None:
    """A teacher that was trained on this data has seen its training part: it belongs to one split."""
    plan = plan_with(home, "matrix={data.split: [60/20/20, 80/10/10]}")
    assert len(jobs_of(plan, "teacher")) == len(jobs_of(plan, "targets")) == 2
    assert len(jobs_of(plan, "pack")) == 1


def test_views_of_the_run_make_targets_of_the_run(home: Home) -> None:
    assert len(jobs_of(plan_with(home, "data.view_seed=run"), "targets")) == 2


def test_speed_is_measured_once_per_shape(home: Home) -> None:
    plan = plan_with(home)
    assert len(jobs_of(plan, "measure", "original")) == 1
    assert jobs_of(plan, "measure", "sparse") == jobs_of(plan, "measure", "distilled")
    assert len(jobs_of(plan, "measure", "distilled_pruned")) == 2


def test_absent_images_make_a_provisional_plan(home: Home, tmp_path: Path) -> None:
    plan = plan_with(home, "data.source=folder", f"data.root={tmp_path}/nowhere")
    assert plan.is_provisional
    assert all(job.job is None and job.reason for job in plan.jobs)
    assert "nowhere" in plan.missing[0]


def test_unset_variable_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XP_DATA", raising=False)
    plan = plan_with(home, "data.source=folder", "data.root=${XP_DATA}/imagenet100")
    assert "XP_DATA" in plan.missing[0]


def test_seed_enters_only_jobs_it_can_affect(home: Home) -> None:
    one, other = plan_with(home, "seeds=[0]"), plan_with(home, "seeds=[9]")
    same = {job.kind for job in one.jobs if job.key in {job.key for job in other.jobs}}
    assert same == {"pack", "train", "targets", "measure"}
    assert jobs_of(one, "teacher") == jobs_of(other, "teacher")
    assert not jobs_of(one, "student") & jobs_of(other, "student")


# A kind that nobody knew before ---------------------------------------------------------------------------------------


class ProbeSettings(JobSettings):
    """Model and planner of a kind of job that no room of the engine knows."""

    depth: int


def plan_probe(run: RunDraft) -> None:
    told, needs = ProbeSettings(depth=3), {"parent": final_network(run.jobs)}
    run.jobs["probe"] = run.context.draft.add(told, needs, Cost(run_details(run.context.settings)))


def test_a_new_kind_is_its_entry_model_planner_and_runner(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    planner, runner = f"{__name__}:plan_probe", "engine.run.jobs:run_pack"
    monkeypatch.setitem(KINDS, "probe_kind", JobKind(ProbeSettings, planner, runner, roles=("probe",), needs_gpu=False))
    monkeypatch.setitem(PLANNERS, "probe_kind", load_named("probe_kind", "planner"))
    made = plan_with(home, "resources.gpus=1")
    submit_plan(made, home)
    probes = [job for job in made.jobs if job.kind == "probe_kind"]
    assert {job.needs["parent"] for job in probes} == {final_network(run.jobs) for run in made.runs}
    for job in probes:
        assert read_job(home.job(job.key), ProbeSettings).settings == ProbeSettings(depth=3)
        assert read_details(home.job(job.key)).resources.gpus == 0
        assert read_demand(job.kind, job.details.model_dump()) == Demand()
