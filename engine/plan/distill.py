"""The jobs of teaching: takes a scene, adds a teacher, its assistants and their targets; gives what a learner reads.

    teacher -> targets -> assistant 1 -> targets -> ... -> student

Targets of a network that saw one split belong to it; those of one that saw none are of all images, for every split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.plan.draft import Cost, Drawn, Scene
from engine.plan.network_jobs import Lesson, data_settings, plan_training, run_details
from engine.plan.teacher import Link, in_place, plan_teacher, trained_link
from engine.plan.teacher_run import SPLIT_WORDS
from engine.spec import Assistant, EntropyMatch, Teacher
from engine.spec.identity import counted_settings

LARGEST_ROW = 780  # bytes, as core/distill/encoding.py writes it; a test compares the two
Roles = dict[str, str]


def plan_teaching(scene: Scene, teacher: Teacher, pack: str) -> tuple[Roles, Lesson]:
    """Return the jobs, by their role in the run, that come before a taught student, and the student's lesson."""
    link = plan_teacher(scene, teacher, pack)
    roles: Roles = dict(link.needs)
    name = "teacher"
    for number, assistant in enumerate(teacher.assistants, 1):
        lesson, link = _plan_assistant(scene, teacher, assistant, link, pack)
        roles[f"{name}_targets"] = lesson.needs["targets"]
        name = f"assistant_{number}"
        roles[name] = link.needs["teacher"]
    lesson = _plan_lesson(scene, teacher, link, pack, scene.seed, learner_epochs(scene))
    roles |= {role: key for role, key in lesson.needs.items() if role in ("targets", "reference")}
    reference = scene.draft.jobs[roles["reference"]] if "reference" in roles else None
    if reference is not None and "teacher" in reference.needs:
        roles["reference_teacher"] = reference.needs["teacher"]
    return roles, lesson


def learner_epochs(scene: Scene) -> int:
    """Targets are needed for every view that an epoch of training or recovery looks at."""
    settings = scene.settings
    recovery = settings.prune.recover_epochs if settings.is_pruned and settings.prune else 0
    return max(settings.train.epochs, recovery)


def _plan_assistant(scene: Scene, teacher: Teacher, assistant: Assistant, link: Link, pack: str) -> tuple[Lesson, Link]:
    """An assistant is a student of the link before it, with the teacher's seed: all arms and seeds share it."""
    train = assistant.train or teacher.train or scene.settings.train
    lesson = _plan_lesson(scene, teacher, link, pack, teacher.seed, train.epochs)
    settings = in_place(scene.settings, assistant, train)
    job = plan_training(scene, settings, teacher.seed, pack, lesson)
    return lesson, trained_link(scene, settings, job)


def _plan_lesson(scene: Scene, teacher: Teacher, link: Link, pack: str, seed: int, epochs: int) -> Lesson:
    """Return what a learner with `seed`, that trains for `epochs`, reads of `link`."""
    cached = _draw_targets(scene, link, pack, seed, scene.settings.data.views or epochs)
    examined = _draw_targets(scene, link, pack, seed, 0)
    way = scene.draft.choose(teacher.targets, link.name, cached, examined)
    needs = {"targets": _add(scene, cached if way == "cached" else examined)}
    if way == "online":
        needs |= link.needs
    temperature, files = scene.settings.distill.temperature, list(link.files)
    if isinstance(temperature, EntropyMatch):
        reference = plan_teacher(scene, temperature.reference, pack)
        needs["reference"] = _add(scene, _draw_targets(scene, reference, pack, seed, 0))
        files += reference.files
    distill = _distill_settings(scene) | {"targets": way, "calibrate": teacher.calibrate}
    return Lesson(needs, distill, tuple(files))


def _draw_targets(scene: Scene, link: Link, pack: str, seed: int, views: int) -> Drawn:
    """Return the job of the targets of `link` on `views` views (0: its examination alone)."""
    data = data_settings(link.data, seed)
    if not link.needs:
        data = {name: value for name, value in data.items() if name not in SPLIT_WORDS}
    settings = {
        "data": data,
        "rows": "train" if link.needs else "all",
        "num_classes": scene.num_classes,
        "views": views,
        **link.about,
    }
    count = scene.content.count if scene.content else 0
    seen = views * (scene.train_images if link.needs else count)
    details = run_details(scene.settings) | ({"weights": link.files[0]} if link.files else {})
    size = int((seen + count) * row_bytes(scene.num_classes or 0))
    cost = Cost(details, seen + count, size, link.reason)
    return Drawn("targets", {"pack": pack, **link.needs}, settings, cost)


def row_bytes(classes: int) -> int:
    """Return what one cached answer takes on disk: every logit in fp16, beyond 1000 classes a row of the largest."""
    return 2 * classes if classes <= 1000 else LARGEST_ROW


def _add(scene: Scene, drawn: Drawn) -> str:
    return scene.draft.add(drawn.kind, drawn.needs, drawn.settings, drawn.cost)


def _distill_settings(scene: Scene) -> dict[str, Any]:
    """Weights enter by value, so that a loss's own, spelt out or not, are one setting; a reference is a need."""
    distill = scene.settings.distill
    weight, label_weight = distill.weights
    settings = counted_settings(distill) | {"weight": weight, "label_weight": label_weight}
    if isinstance(settings["temperature"], Mapping):
        settings["temperature"] = {k: v for k, v in settings["temperature"].items() if k != "reference"}
    return settings
