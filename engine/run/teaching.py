"""A taught student's side: takes its distillation settings, gives who answers its batches, at which temperature.

After training it says how near the student came to its teacher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.core.data.loader import EvalLoader
from engine.core.distill.answering import Ask, CachedTeacher, HeardBeside, OnlineTeacher
from engine.core.distill.diagnose import compare_logits, fit_temperature
from engine.core.distill.feature_rows import FeatureForm
from engine.core.distill.hints import Hints
from engine.core.distill.targets import Targets
from engine.core.distill.temperature import TemperatureCurve, match_temperature, schedule_temperature
from engine.core.train.forward import Forward
from engine.errors import JobError
from engine.inputs.splits import Rows
from engine.run.attempt import Attempt
from engine.run.inputs import Images
from engine.run.targets import (
    data_look,
    describe_part,
    make_maker,
    open_job_targets,
    open_teacher,
    saw_no_split,
    spread_rows,
    targets_origin,
)
from engine.run.unseen import LEAST_IMAGES, seen_share, unseen_rows
from engine.spec import Distill
from engine.spec.features import kept_features
from engine.spec.job_file import read_job
from engine.spec.job_settings import LessonSettings, MatchedTemperature, TargetsSettings, TrainSettings

# A share of 4096 images is known to 0.8 points, as one standard error at most.
LIKENESS_IMAGES, MATCHED_IMAGES, EVAL_BATCH = 4096, 4096, 64


@dataclass(frozen=True)
class Teaching:
    """How a student is taught: the words, who answers its batches, and how the teacher's logits are divided.

    `features` are those of the teacher that come with its answers. A temperature that is matched to a reference's
    entropy is a number here.
    """

    distill: Distill
    targets: Targets
    ask: Ask
    divisor: float
    features: tuple[FeatureForm, ...] = ()

    def hints(self, network: nn.Module, image_size: int, seed: int) -> Hints | None:
        """Return what the student makes of features, on the network's device; None where it hears of none."""
        if not self.distill.features:
            return None
        channels = [form.channels for form in self.features]
        made = Hints(self.distill.features, network, image_size, channels, seed, self.targets.classes)
        return made.to(next(network.parameters()).device)

    def schedule(self, epochs: int, steps: int) -> TemperatureCurve:
        """Return the temperature over a training of `epochs` epochs of `steps` steps."""
        return schedule_temperature(self.distill, epochs, steps)

    def about(self) -> dict[str, Any]:
        """Return what is effective, for the journal: the two ends of the temperature and the calibration."""
        schedule = self.schedule(1, 1)
        ends = {"start": schedule.start, "end": schedule.end, "schedule": schedule.schedule, "by": schedule.by}
        return {**ends, "calibration": self.divisor}


def open_teaching(attempt: Attempt, images: Images, device: torch.device) -> Teaching | None:
    """Return what the student of this job listens to, None where it learns from labels alone.

    May draw random numbers (a teacher is built): called before a training is seeded.
    """
    lesson = attempt.settings(TrainSettings).distill
    if lesson is None:
        return None
    targets = open_job_targets(attempt, images, device)
    divisor = calibration_temperature(targets, images, _unseen(attempt, images)) if lesson.calibrate else 1.0
    if divisor < 1.0:
        print(f"calibration divides the teacher's logits by {divisor:.3g}, which sharpens them", flush=True)
    matched: float | None = None
    if isinstance(lesson.temperature, MatchedTemperature):
        reference = open_job_targets(attempt, images, device, "reference")
        matched = matched_temperature(targets, reference, images, divisor, lesson.temperature.at)
    ask, features = _who_answers(attempt, lesson, images, targets, device, divisor)
    return Teaching(lesson.words(matched), targets, ask, divisor, features)


def _who_answers(
    attempt: Attempt, lesson: LessonSettings, images: Images, targets: Targets, device: torch.device, divisor: float
) -> tuple[Ask, tuple[FeatureForm, ...]]:
    """Return who answers a batch, and how the features lie that come with the answers."""
    cached = CachedTeacher(targets, divisor)
    if not lesson.asks_in_steps:
        return cached, targets.features
    teacher = _online(attempt, lesson, images, device, divisor)
    ask: Ask = teacher if lesson.targets == "online" else HeardBeside(cached, teacher)
    return ask, teacher.maker.features


def _unseen(attempt: Attempt, images: Images) -> Rows | None:
    """Return the rows that the teacher has not seen, None where it is not one of ImageNet's."""
    spec = read_job(attempt.need("targets"), TargetsSettings)
    return unseen_rows(images.pack, images.data) if saw_no_split(spec) else None


def calibration_temperature(targets: Targets, images: Images, unseen: Rows | None = None) -> float:
    """Return the temperature with the least NLL on the student's own validation images: never on test.

    Of them, those that the teacher was not trained on, where `unseen` says which these are. Raises JobError where there
    are none (or too few), or where no temperature is best (a teacher that is never wrong).
    """
    rows = images.split.val
    if unseen is not None and len(rows):
        rows = np.intersect1d(rows, unseen)
        if len(rows) < LEAST_IMAGES:
            what = f"{len(rows)} of the validation images are none that the teacher was trained on: {LEAST_IMAGES} or"
            fix = "have ImageNet's validation images in the data (data.given: merge), or set teacher.calibrate: false"
            raise JobError(f"{what} more are needed to calibrate it", where="teacher.calibrate", fix=fix)
    if not len(rows):
        fix = "give data.split a validation part, or set teacher.calibrate: false"
        what = "a teacher is calibrated on validation images, and the split has none"
        raise JobError(what, where="teacher.calibrate", fix=fix)
    found = fit_temperature(targets.centre(rows), torch.from_numpy(images.pack.labels[rows]))
    if not found:
        what = f"no temperature is best on {len(rows)} validation images: the teacher may be right on all of them"
        fix = "give data.split a larger validation part, or set teacher.calibrate: false"
        raise JobError(what, where="teacher.calibrate", fix=fix)
    return found


def matched_temperature(targets: Targets, reference: Targets, images: Images, divisor: float, at: float) -> float:
    """Return the temperature that gives the (calibrated) teacher the mean entropy of the reference at `at`.

    Both on the centre crops of the student's training images, over an even sample of MATCHED_IMAGES at most.
    """
    rows = spread_rows(images.split.train, MATCHED_IMAGES)
    return match_temperature(targets.centre(rows) / divisor, reference.centre(rows), at)


def _online(
    attempt: Attempt, lesson: LessonSettings, images: Images, device: torch.device, divisor: float
) -> OnlineTeacher:
    job = attempt.need("targets")
    spec = read_job(job, TargetsSettings)
    teacher = open_teacher(attempt, spec, device, kept_features(lesson.features))
    maker = make_maker(targets_origin(job.job, spec, images, images.data), teacher)
    return OnlineTeacher(maker, data_look(images.data), divisor)


# How near the student came -------------------------------------------------------------------------------------------


def log_agreement(attempt: Attempt, teaching: Teaching, images: Images, network: nn.Module, forward: Forward) -> None:
    """Log, under the student's job, agreement with the teacher and KL(teacher || student) on centre crops.

    On train over an even sample no larger than test, on test over all, LIKENESS_IMAGES at most. Both at temperature 1,
    with the teacher as the student heard it (calibrated where it was).
    """
    test = spread_rows(images.split.test, LIKENESS_IMAGES)
    for part, rows in (("train", spread_rows(images.split.train, len(test))), ("test", test)):
        student = centre_logits(attempt, images, rows, network, forward)
        found = compare_logits(student, teaching.targets.centre(rows) / teaching.divisor)
        attempt.journal.teacher(part, "agreement", found.agreement)
        attempt.journal.teacher(part, "divergence", found.divergence)
    lesson = attempt.settings(TrainSettings).distill
    if lesson is not None and lesson.calibrate:
        attempt.journal.teacher("val", "calibration", teaching.divisor)
    if saw_no_split(read_job(attempt.need("targets"), TargetsSettings)):
        _log_teacher(attempt, teaching, images)


def _log_teacher(attempt: Attempt, teaching: Teaching, images: Images) -> None:
    """A teacher that saw no split has figures over all images; its figures on this split are the student's to say."""
    unseen = unseen_rows(images.pack, images.data)
    for part in ("train", "val", "test"):
        rows = images.split.part(part)
        if len(rows) and unseen is not None:
            attempt.journal.teacher(part, "teacher_seen_share", seen_share(rows, unseen))
        if len(rows):
            for name, value in describe_part(teaching.targets, images.pack, rows)[0].items():
                attempt.journal.teacher(part, f"teacher_{name}", value)


def centre_logits(attempt: Attempt, images: Images, rows: Rows, network: nn.Module, forward: Forward) -> Tensor:
    """Return the network's fp32 logits (n, classes) on the centre crops of `rows`, on the host."""
    was_training = network.training
    network.eval()
    loader, parts = EvalLoader(images.pack, np.asarray(rows), images.data, images.data.image_size, EVAL_BATCH), []
    for batch in loader:
        with torch.no_grad():
            parts.append(forward(network, batch.images).cpu())
        attempt.watch("evaluate", len(parts) * EVAL_BATCH, len(rows))
    network.train(was_training)
    return torch.cat(parts)
