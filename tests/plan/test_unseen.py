"""A teacher of ImageNet is calibrated on images that it has not seen, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import DataError
from tests.plan.conftest import WORDNET, Planner

# Every arm takes the teacher of the whole: the arms that bring their own are left out.
PLAIN = ("arms.distilled=null", "arms.distilled_pruned=null")
GIVEN = ("teacher={arch: timm/resnet18, weights: pretrained, calibrate: true}", "data.short_side=256")


def test_calibration_on_training_images_is_refused(plan: Planner, wordnet: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="calibrated on its training images") as caught:
        plan(*PLAIN, *wordnet, *GIVEN)
    assert caught.value.where == "teacher.calibrate"


def test_validation_images_by_name_may_calibrate(plan: Planner, wordnet: tuple[str, ...], tmp_path: Path) -> None:
    for name in WORDNET:
        folder = tmp_path / "images" / name
        (folder / "0.png").rename(folder / f"ILSVRC2012_val_{int(name[1:]):08d}.png")
    assert plan(*PLAIN, *wordnet, *GIVEN).jobs


def test_students_of_all_sizes_share_one_teacher(plan: Planner, wordnet: tuple[str, ...]) -> None:
    words = (*PLAIN, *wordnet, GIVEN[0].replace(", calibrate: true", ""), GIVEN[1])
    keys = set()
    for size in (48, 64, 224):
        made = plan(*words, f"data.image_size={size}", "student.windows=null")
        keys |= {job.key for job in made.jobs if job.kind == "targets"}
    assert len(keys) == 1
