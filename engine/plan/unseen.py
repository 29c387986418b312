"""Calibration before anything is queued: takes a run's context, refuses what only training images could calibrate."""

from __future__ import annotations

from engine.errors import DataError
from engine.plan.draft import PlanContext
from engine.spec.architectures import WORDNET_ID


def check_unseen(context: PlanContext) -> None:
    """Raise DataError where a teacher of ImageNet is to be calibrated and no image here is known to be new to it.

    Those of a test folder are for the test alone. How many of the others are validation images is the job's to find.
    """
    settings, content = context.settings, context.content
    teacher = settings.teacher
    if content is None or teacher is None or not (settings.is_taught and teacher.calibrate and teacher.is_given):
        return
    if content.origins.get("val") or not all(WORDNET_ID.fullmatch(name) for name in content.class_names):
        return
    what = (
        "the teacher was trained on ImageNet, and no image here is known to be another: it would be calibrated on its"
    )
    fix = (
        "add ImageNet's validation images, under their own names (ILSVRC2012_val_...), or set teacher.calibrate: false"
    )
    raise DataError(f"{what} training images", where="teacher.calibrate", fix=fix)
