"""`targets: auto`: what is counted on both sides, and that a cache which lies here takes no room."""

from __future__ import annotations

import pytest

from engine.home.files import write_json
from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.plan.estimate import estimate_plan
from engine.plan.plan_json import plan_json
from tests.plan.conftest import QUICKSTART, Planner

AUTO = ("teacher.targets=auto", "seeds=[0]", "arms.distilled_pruned=null")
PART, IMAGES = 1797 * 0.6, 1797


def ways(plan: Plan) -> set[str]:
    students = {run.jobs["student"] for run in plan.runs if "targets" in run.jobs}
    return {str(job.canonical["settings"]["distill"]["targets"]) for job in plan.jobs if job.key in students}


def free_bytes(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr("engine.plan.target_mode.shutil.disk_usage", lambda _: type("Usage", (), {"free": free}))


@pytest.mark.parametrize(("views", "way"), [(9, "cached"), (10, "cached"), (11, "online")])
def test_passes_of_the_views_are_held_against_those_of_the_steps(plan: Planner, views: int, way: str) -> None:
    """Ten epochs ask about every image ten times; the examination, once for all images, is done either way."""
    made = plan(*AUTO, f"data.views={views}")
    assert ways(made) == {way}
    (note,) = made.notes
    counts = f"a cache takes {views * PART:,.0f} passes of the teacher, training with it in the step {10 * PART:,.0f}"
    assert note == f"targets of timm/convnextv2_atto: {way}, because {counts}"


def test_a_cache_must_fit_nine_tenths_of_the_disk(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    size = int((4 * PART + IMAGES) * 20)
    free_bytes(monkeypatch, size / 0.9 + 2)
    assert ways(plan(*AUTO)) == {"cached"}
    free_bytes(monkeypatch, size / 0.9 - 2)
    assert ways(plan(*AUTO)) == {"online"}


def test_a_cache_that_lies_here_takes_no_more_room(plan: Planner, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (targets,) = [job for job in plan(*AUTO[1:]).jobs if job.kind == "targets"]
    home.job(targets.key).root.mkdir(parents=True)
    write_json(home.job(targets.key).result, {"attempt": 1, "seconds": 1.0})
    free_bytes(monkeypatch, 0)
    assert ways(plan(*AUTO)) == {"cached"}


def test_nothing_is_held_against_images_that_are_not_here(plan: Planner) -> None:
    made = plan(*AUTO, "data.source=folder", "data.root=/nowhere", "data.views=40")
    assert ways(made) == {"cached"}
    assert made.notes == ("targets of timm/convnextv2_atto: cached, as long as its data or weights are not here",)


def test_auto_caches_what_is_read_more_often_than_it_is_made(plan: Planner) -> None:
    made = plan("teacher.targets=auto")
    assert ways(made) == {"cached"}
    assert "cached, because" in made.notes[0]
    assert {job.job for job in made.jobs} == {job.job for job in plan().jobs}


def test_auto_asks_in_the_step_what_would_be_read_once(plan: Planner) -> None:
    made = plan("teacher.targets=auto", "data.views=40", "seeds=[0]", "arms.distilled_pruned=null")
    assert ways(made) == {"online"}
    assert "online, because" in made.notes[0]


def test_auto_counts_no_image_that_a_student_learns_without_its_teacher(plan: Planner) -> None:
    words = ("teacher.targets=auto", "data.views=10", "seeds=[0]", "arms.distilled_pruned=null")
    assert ways(plan(*words)) == {"cached"}
    assert ways(plan(*words, "distill.until=0.5")) == {"online"}


def test_auto_asks_in_the_step_where_the_disk_is_full(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.plan.target_mode.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    made = plan("teacher.targets=auto")
    assert ways(made) == {"online"}
    assert "are free" in made.notes[0]


def test_the_json_of_a_plan_tells_the_saving_and_the_choice(home: Home) -> None:
    made = make_plan(load_spec(QUICKSTART, ["teacher.targets=auto"]), home)
    told = plan_json(made, estimate_plan(made, home, {}))
    assert told["teacher_passes"] == {"planned": 6110, "alone": 51754}
    assert told["notes"] == list(made.notes)
    assert "cached" in told["notes"][0]
