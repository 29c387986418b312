"""A teacher's answers where there are none yet: takes a lesson, gives made-up ones that cost a step as much.

Cached ones are rows of noise in memory, looked up as real ones are; online a teacher of the right shape without its
weights is asked. What they say means nothing, and nothing that was learnt from them is kept.
"""

from __future__ import annotations

import numpy as np
import torch

from engine.core.distill.answering import Ask, CachedTeacher, HeardBeside, OnlineTeacher
from engine.core.distill.encoding import row_format
from engine.core.distill.feature_rows import FeatureForm, TaughtRows
from engine.core.distill.targets import Targets
from engine.core.network.build import build_network
from engine.core.network.heads import SlicedNetwork
from engine.run.attempt import Attempt
from engine.run.inputs import Images, make_forward
from engine.run.targets import OpenTeacher, data_look, make_maker, targets_origin
from engine.run.teaching import Teaching
from engine.spec.features import kept_features
from engine.spec.job_file import JobSpec, read_job
from engine.spec.job_settings import LessonSettings, MatchedTemperature, TargetsSettings

# Where a temperature is matched to a reference that has not answered yet.
MATCHED = 2.0


def make_up_teaching(attempt: Attempt, lesson: LessonSettings, images: Images, device: torch.device) -> Teaching:
    """Return how the student would be taught, by answers that are made up."""
    spec = read_job(attempt.home.job(attempt.needs["targets"]), TargetsSettings)
    teacher, classes = None, len(images.pack.class_names)
    if lesson.asks_in_steps or lesson.features:  # which shape features have says the network
        teacher = _blank_teacher(attempt, lesson, spec, images, device)
    features = teacher.maker.features if teacher is not None else ()
    targets = noise_targets(
        len(images.pack), spec.settings.views, classes, () if lesson.hears_features_online else features
    )
    ask: Ask = CachedTeacher(targets)
    if teacher is not None and lesson.asks_in_steps:
        ask = teacher if lesson.targets == "online" else HeardBeside(ask, teacher)
    matched = MATCHED if isinstance(lesson.temperature, MatchedTemperature) else None
    return Teaching(lesson.words(matched), targets, ask, 1.0, features)


def noise_targets(images: int, views: int, classes: int, features: tuple[FeatureForm, ...] = ()) -> Targets:
    """Return rows of noise for each image of a pack, the same ones in every view."""
    taught, draw = TaughtRows(row_format(classes), features), torch.Generator().manual_seed(0)
    noise = [torch.randn(images, form.places, form.channels, generator=draw) for form in features]
    rows = taught.encode(torch.randn(images, classes, generator=draw), noise)
    seen = np.broadcast_to(rows, (max(views, 1), *rows.shape))
    return Targets(max(views, 1), taught.form, {}, seen, taught.answer_of(rows), np.arange(len(rows)), features)


def _blank_teacher(
    attempt: Attempt, lesson: LessonSettings, spec: JobSpec[TargetsSettings], images: Images, device: torch.device
) -> OnlineTeacher:
    settings = spec.settings
    bare = settings.network.model_copy(update={"weights": "none"})
    classes = len(images.pack.class_names)
    network = SlicedNetwork(build_network(bare, classes, settings.data.image_size), None).eval().to(device)
    forward = make_forward(network, device, settings.precision)
    about, look, kept = {"outputs": classes}, data_look(settings.data), tuple(kept_features(lesson.features))
    teacher = OpenTeacher(network, forward, settings.logit_scale, about, look, kept)
    origin = targets_origin(attempt.needs["targets"], spec, images, images.data)
    return OnlineTeacher(make_maker(origin, teacher), data_look(images.data))
