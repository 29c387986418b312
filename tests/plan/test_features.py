"""Features in a plan: wrong layers are refused by name, what is kept is shared, and where it lies is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.distill.layer_shapes import answer
from engine.errors import DataError
from engine.load import load_spec
from engine.plan import Job, Plan, make_plan
from engine.plan.passes import count_passes
from tests.plan.conftest import QUICKSTART, Planner

PART, IMAGES, VIEWS, CLASSES = 1797 * 0.6, 1797, 4, 10
ONE_SEED = ("seeds=[0]", "arms.distilled_pruned=null")
MSE = "distill.features=[{student: stages.3, teacher: stages.2}]"


@pytest.fixture(autouse=True)
def _told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child's answers, without the child."""
    monkeypatch.setattr("engine.plan.child.run_child", _answer)


def _answer(module: str, question: dict[str, Any]) -> Any:
    return answer(question) if module == "engine.core.distill.layer_shapes" else []


def of_kind(plan: Plan, kind: str) -> list[Job]:
    return [job for job in plan.jobs if job.kind == kind]


def taught(plan: Plan) -> Job:
    return next(job for job in of_kind(plan, "train") if "targets" in job.needs)


@pytest.mark.parametrize(
    ("entry", "place", "what", "fix"),
    [
        ("{student: stage.3, teacher: stages.2}", "0.student", "no layer 'stage.3' in tiny_vit", "'stages.3'"),
        ("{student: stages.3, teacher: stages.9}", "0.teacher", "no layer 'stages.9' in timm/conv", "stages"),
        (
            "{student: stages.3, teacher: stages.2, projector: none}", "0.projector",
            "stages.3 has 64 channels and the teacher's stages.2 96", "linear or orthogonal",
        ),
    ],
)  # fmt: skip
def test_layers_that_cannot_be_followed_are_refused_by_name(
    plan: Planner, entry: str, place: str, what: str, fix: str
) -> None:
    with pytest.raises(DataError, match=what) as found:
        plan(*ONE_SEED, f"distill.features=[{entry}]")
    assert found.value.where == f"distill.features.{place}"
    assert fix in str(found.value.fix)


def test_features_that_fit_are_cached_and_the_plan_says_how_much(plan: Planner) -> None:
    made = plan(*ONE_SEED, MSE)
    (targets,) = of_kind(made, "targets")
    size = int((VIEWS * PART + IMAGES) * 2 * CLASSES + VIEWS * PART * 2 * 96)
    assert targets.bytes == size
    assert made.notes == (f"features of timm/convnextv2_atto: cached with its targets, {size / 1e6:,.1f} MB in all",)
    assert [kept["layer"] for kept in targets.canonical["settings"]["features"]] == ["stages.2"]
    assert "feature_targets" not in taught(made).canonical["settings"]["distill"]
    assert "teacher" not in taught(made).needs


def test_features_that_do_not_fit_are_asked_for_in_the_step(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = of_kind(plan(*ONE_SEED), "targets")[0]
    monkeypatch.setattr(
        "engine.plan.target_mode.shutil.disk_usage", lambda _: type("Usage", (), {"free": plain.bytes * 2})
    )
    made = plan(*ONE_SEED, MSE)
    (targets,) = of_kind(made, "targets")
    assert targets.key == plain.key, "its logits are cached as if there were none"
    (note,) = made.notes
    assert note.startswith("features of timm/convnextv2_atto: online, because a cache with them would take 0.0 GB")
    assert taught(made).canonical["settings"]["distill"]["feature_targets"] == "online"
    assert "teacher" in taught(made).needs
    passes = count_passes(made)
    assert passes is not None
    assert passes.planned == round(targets.images + taught(made).images)


@pytest.mark.parametrize(("asked", "way"), [("online", "online"), ("auto", "cached")])
def test_they_come_as_the_targets_do(plan: Planner, asked: str, way: str) -> None:
    lesson = taught(plan(*ONE_SEED, MSE, f"teacher.targets={asked}")).canonical["settings"]["distill"]
    assert (lesson["targets"], lesson.get("feature_targets", "cached")) == (way, way)


def test_students_of_the_same_layers_share_one_cache(home: Any, tmp_path: Path) -> None:
    lines = [
        f"extends: {QUICKSTART}",
        "name: layers",
        "arms:",
        "  cosine: {extends: distilled, distill.features: [{student: stages.3, teacher: stages.2, loss: cosine}]}",
        "  mse: {extends: distilled, distill.features: [{student: stages.1, teacher: stages.2}]}",
        "  pooled: {extends: distilled, distill.features: [{student: stages.1, teacher: stages.2, pool: 2}]}",
    ]
    (tmp_path / "layers.yaml").write_text("\n".join(lines))
    made = make_plan(load_spec(tmp_path / "layers.yaml"), home)
    keys = {
        arm: {run.jobs["targets"] for run in made.runs if run.arm == arm}
        for arm in ("distilled", "cosine", "mse", "pooled")
    }
    assert all(len(found) == 1 for found in keys.values())
    assert keys["cosine"] == keys["mse"]
    assert len(set.union(*keys.values())) == 3


def test_without_features_no_job_knows_the_word(plan: Planner) -> None:
    """Ids of before are ids of now."""
    made = plan(*ONE_SEED)
    words = [set(job.canonical["settings"]) for job in made.jobs]
    lessons = [set(job.canonical["settings"]["distill"] or ()) for job in of_kind(made, "train")]
    assert not any({"features", "feature_targets"} & known for known in (*words, *lessons))
    assert not any(
        "distill.features" in run.settings or "features" in run.settings.get("distill", {}) for run in made.runs
    )
