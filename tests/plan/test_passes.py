"""What sharing and caching save: passes that are planned, and those of runs that each ask for themselves."""

from __future__ import annotations

from pathlib import Path

from engine.plan import Passes, count_passes
from tests.plan.conftest import Planner

IMAGES, PART = 1797, 1797 * 0.6


def test_a_saving_is_told_only_where_there_is_one() -> None:
    assert str(Passes(1_000, 4_000)) == "teacher passes: 1,000; without sharing and caching 4,000 (75% saved)"
    assert str(Passes(4_000, 4_000)) == "teacher passes: 4,000; without sharing and caching 4,000"
    assert str(Passes(5_000, 4_000)) == "teacher passes: 5,000; without sharing and caching 4,000"


def test_a_teacher_in_the_step_is_asked_by_every_training(plan: Planner) -> None:
    """Students of the two taught arms are one job for each seed; each pruned one recovers for itself."""
    found = count_passes(plan("teacher.targets=online"))
    assert found is not None
    assert found.planned == round(IMAGES + PART * (2 * 10 + 2 * (3 + 1)))
    assert found.alone == round(PART * (2 * 10 + 2 * 10 + 2 * (3 + 1)))


def test_without_images_nothing_is_counted(plan: Planner, tmp_path: Path) -> None:
    assert count_passes(plan("data.source=folder", f"data.root={tmp_path}/gone")) is None
