"""A teacher's answers where there are none yet: takes a lesson, gives made-up ones that cost a step as much.

Cached ones are rows of noise in memory, looked up as real ones are; online a teacher of the right shape without its
weights is asked. What they say means nothing, and nothing that was learnt from them is kept.
"""

from __future__ import annotations

import numpy as np
import torch

from engine.core.distill.answering import Ask, CachedTeacher, OnlineTeacher
from engine.core.distill.encoding import row_format
from engine.core.distill.targets import Targets
from engine.core.network.build import build_network
from engine.core.network.heads import SlicedNetwork
from engine.run.attempt import Attempt
from engine.run.inputs import Images, make_forward
from engine.run.targets import OpenTeacher, data_look, make_maker, targets_origin
from engine.run.teaching import Teaching
from engine.spec.job_file import JobSpec, read_job
from engine.spec.job_settings import LessonSettings, MatchedTemperature, TargetsSettings

# Where a temperature is matched to a reference that has not answered yet.
MATCHED = 2.0


def make_up_teaching(attempt: Attempt, lesson: LessonSettings, images: Images, device: torch.device) -> Teaching:
    """Return how the student would be taught, by answers that are made up."""
    spec = read_job(attempt.home.job(attempt.needs["targets"]), TargetsSettings)
    targets = _noise_targets(images, spec.settings.views, len(images.pack.class_names))
    is_online = lesson.targets == "online"
    ask: Ask = _blank_teacher(attempt, spec, images, device) if is_online else CachedTeacher(targets)
    matched = MATCHED if isinstance(lesson.temperature, MatchedTemperature) else None
    return Teaching(lesson.words(matched), targets, ask, 1.0)


def _noise_targets(images: Images, views: int, classes: int) -> Targets:
    """Return rows of noise for each image of the pack, the same ones in every view."""
    form = row_format(classes)
    draw = torch.Generator().manual_seed(0)
    rows = form.encode(torch.randn(len(images.pack), classes, generator=draw))
    seen = np.broadcast_to(rows, (max(views, 1), *rows.shape))
    return Targets(max(views, 1), form, {}, seen, rows, np.arange(len(rows)))


def _blank_teacher(
    attempt: Attempt, spec: JobSpec[TargetsSettings], images: Images, device: torch.device
) -> OnlineTeacher:
    settings = spec.settings
    bare = settings.network.model_copy(update={"weights": "none"})
    classes = len(images.pack.class_names)
    network = SlicedNetwork(build_network(bare, classes, settings.data.image_size), None).eval().to(device)
    forward = make_forward(network, device, settings.precision)
    teacher = OpenTeacher(network, forward, settings.logit_scale, {"outputs": classes}, data_look(settings.data))
    origin = targets_origin(attempt.needs["targets"], spec, images, images.data)
    return OnlineTeacher(make_maker(origin, teacher), data_look(images.data))
