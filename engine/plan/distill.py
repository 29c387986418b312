"""The jobs of teaching: takes a context, adds a teacher, its assistants and their targets; gives what a learner reads.

    teacher -> targets -> assistant 1 -> targets -> ... -> student

Targets of a network that saw one split belong to it; those of one that saw none are of all images, for every split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.plan.draft import Cost, DraftJob, PlanContext
from engine.plan.network_jobs import TeachingPlan, data_settings, plan_training, run_details
from engine.plan.teacher import TeacherLink, in_place, plan_teacher, trained_link
from engine.plan.teacher_run import SPLIT_WORDS
from engine.spec import Assistant, EntropyMatch, Teacher
from engine.spec.identity import counted_settings

LARGEST_ROW = 780  # bytes, as core/distill/encoding.py writes it; a test compares the two
Roles = dict[str, str]


def plan_teaching(context: PlanContext, teacher: Teacher, pack: str) -> tuple[Roles, TeachingPlan]:
    """Return the jobs, by their role in the run, that come before a taught student, and the student's teaching."""
    link = plan_teacher(context, teacher, pack)
    roles: Roles = dict(link.needs)
    name = "teacher"
    for number, assistant in enumerate(teacher.assistants, 1):
        teaching, link = _plan_assistant(context, teacher, assistant, link, pack)
        roles[f"{name}_targets"] = teaching.needs["targets"]
        name = f"assistant_{number}"
        roles[name] = link.needs["teacher"]
    teaching = _plan_learning(context, teacher, link, pack, context.seed, learner_epochs(context))
    roles |= {role: key for role, key in teaching.needs.items() if role in ("targets", "reference")}
    reference = context.draft.jobs[roles["reference"]] if "reference" in roles else None
    if reference is not None and "teacher" in reference.needs:
        roles["reference_teacher"] = reference.needs["teacher"]
    return roles, teaching


def learner_epochs(context: PlanContext) -> int:
    """Targets are needed for every view that an epoch of training or recovery looks at."""
    settings = context.settings
    recovery = settings.prune.recover_epochs if settings.is_pruned and settings.prune else 0
    return max(settings.train.epochs, recovery)


def _plan_assistant(
    context: PlanContext, teacher: Teacher, assistant: Assistant, link: TeacherLink, pack: str
) -> tuple[TeachingPlan, TeacherLink]:
    """An assistant is a student of the link before it, with the teacher's seed: all arms and seeds share it."""
    train = assistant.train or teacher.train or context.settings.train
    teaching = _plan_learning(context, teacher, link, pack, teacher.seed, train.epochs)
    settings = in_place(context.settings, assistant, train)
    job = plan_training(context, settings, teacher.seed, pack, teaching)
    return teaching, trained_link(context, settings, job)


def _plan_learning(
    context: PlanContext, teacher: Teacher, link: TeacherLink, pack: str, seed: int, epochs: int
) -> TeachingPlan:
    """Return what a learner with `seed`, that trains for `epochs`, reads of `link`."""
    cached = _draw_targets(context, link, pack, seed, context.settings.data.views or epochs)
    examined = _draw_targets(context, link, pack, seed, 0)
    way = context.draft.choose(teacher.targets, link.name, cached, examined)
    needs = {"targets": _add(context, cached if way == "cached" else examined)}
    if way == "online":
        needs |= link.needs
    temperature, files = context.settings.distill.temperature, list(link.files)
    if isinstance(temperature, EntropyMatch):
        reference = plan_teacher(context, temperature.reference, pack)
        needs["reference"] = _add(context, _draw_targets(context, reference, pack, seed, 0))
        files += reference.files
    distill = _distill_settings(context) | {"targets": way, "calibrate": teacher.calibrate}
    return TeachingPlan(needs, distill, tuple(files))


def _draw_targets(context: PlanContext, link: TeacherLink, pack: str, seed: int, views: int) -> DraftJob:
    """Return the job of the targets of `link` on `views` views (0: its examination alone)."""
    data = data_settings(link.data, seed)
    if not link.needs:
        data = {name: value for name, value in data.items() if name not in SPLIT_WORDS}
    settings = {
        "data": data,
        "rows": "train" if link.needs else "all",
        "num_classes": context.num_classes,
        "views": views,
        **link.about,
    }
    count = context.content.count if context.content else 0
    seen = views * (context.train_images if link.needs else count)
    details = run_details(context.settings) | ({"weights": link.files[0]} if link.files else {})
    size = int((seen + count) * row_bytes(context.num_classes or 0))
    cost = Cost(details, seen + count, size, link.reason)
    return DraftJob("targets", {"pack": pack, **link.needs}, settings, cost)


def row_bytes(classes: int) -> int:
    """Return what one cached answer takes on disk: every logit in fp16, beyond 1000 classes a row of the largest."""
    return 2 * classes if classes <= 1000 else LARGEST_ROW


def _add(context: PlanContext, drawn: DraftJob) -> str:
    return context.draft.add(drawn.kind, drawn.needs, drawn.settings, drawn.cost)


def _distill_settings(context: PlanContext) -> dict[str, Any]:
    """Weights enter by value, so that a loss's own, spelt out or not, are one setting; a reference is a need."""
    distill = context.settings.distill
    weight, label_weight = distill.weights
    settings = counted_settings(distill) | {"weight": weight, "label_weight": label_weight}
    if isinstance(settings["temperature"], Mapping):
        settings["temperature"] = {k: v for k, v in settings["temperature"].items() if k != "reference"}
    return settings
