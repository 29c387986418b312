"""The jobs of teaching: takes a context, adds a teacher, its assistants and their targets; gives what a learner reads.

    teacher -> targets -> assistant 1 -> targets -> ... -> student

Targets of a network that saw one split belong to it; those of one that saw none are of all images, for every split.
"""

from __future__ import annotations

from engine.plan.draft import Cost, DraftJob, PlanContext, RunDraft, TeachingPlan
from engine.plan.features import HeardFeatures, plan_features
from engine.plan.network_jobs import add_training, run_details, train_settings
from engine.plan.target_mode import decide_features
from engine.plan.teacher import TeacherLink, in_place, plan_teacher, trained_link
from engine.spec import Assistant, EntropyMatch, Teacher
from engine.spec.controls import count_epochs
from engine.spec.job_settings import LessonSettings, TargetsSettings, ViewedData

LARGEST_ROW = 780  # bytes, as core/distill/encoding.py writes it; a test compares the two
Roles = dict[str, str]


def plan_teaching(run: RunDraft) -> None:
    """Add all that comes before a taught student; an untaught one hears nobody."""
    settings = run.context.settings
    if settings.is_taught and settings.teacher is not None:
        roles, run.teaching = _plan_chain(run.context, settings.teacher, run.jobs["pack"])
        run.jobs |= roles


def _plan_chain(context: PlanContext, teacher: Teacher, pack: str) -> tuple[Roles, TeachingPlan]:
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
    if settings.prune is None or not settings.is_pruned:
        return settings.train.epochs
    if settings.prune.when == "before":
        return count_epochs(settings)
    return max(settings.train.epochs, settings.prune.recover_epochs)


def _plan_assistant(
    context: PlanContext, teacher: Teacher, assistant: Assistant, link: TeacherLink, pack: str
) -> tuple[TeachingPlan, TeacherLink]:
    """An assistant is a student of the link before it, with the teacher's seed: all arms and seeds share it."""
    train = assistant.train or teacher.train or context.settings.train
    teaching = _plan_learning(context, teacher, link, pack, teacher.seed, train.epochs)
    settings = in_place(context.settings, assistant, train)
    told = train_settings(context, settings, teacher.seed, teaching)
    job = add_training(context, told, settings, {"pack": pack}, teaching)
    return teaching, trained_link(context, settings, job)


def _plan_learning(
    context: PlanContext, teacher: Teacher, link: TeacherLink, pack: str, seed: int, epochs: int
) -> TeachingPlan:
    """Return what a learner with `seed`, that trains for `epochs`, reads of `link`."""
    views, heard = context.settings.data.views or epochs, plan_features(context, link)
    cached = _draw_targets(context, link, pack, seed, views)
    feature_way = "cached"
    if heard.kept:
        whole = _draw_targets(context, link, pack, seed, views, heard)
        choice = decide_features(context.draft, link.name, teacher.targets, whole)
        feature_way, cached = choice.way, whole if choice.way == "cached" else cached
    examined = _draw_targets(context, link, pack, seed, 0)
    way = context.draft.choose(teacher.targets, link.name, cached, examined)
    needs = {"targets": _add(context, cached if way == "cached" else examined)}
    if heard.kept:
        feature_way = "online" if way == "online" else feature_way
        context.draft.notes[choice.why] = None
    if "online" in (way, feature_way):
        needs |= link.needs
    temperature, files = context.settings.distill.temperature, list(link.files)
    if isinstance(temperature, EntropyMatch):
        reference = plan_teacher(context, temperature.reference, pack)
        needs["reference"] = _add(context, _draw_targets(context, reference, pack, seed, 0))
        files += reference.files
    lesson = LessonSettings.of(context.settings.distill, way, calibrate=teacher.calibrate, feature_targets=feature_way)
    return TeachingPlan(needs, lesson, tuple(files))


def _draw_targets(
    context: PlanContext, link: TeacherLink, pack: str, seed: int, views: int, heard: HeardFeatures | None = None
) -> DraftJob:
    """Return the job of the targets of `link` on `views` views (0: its examination alone), with features of it."""
    heard = heard or HeardFeatures()
    data = ViewedData.of(link.data, seed)
    settings = TargetsSettings.of(
        link.about,
        data=data if link.needs else data.unsplit(),
        rows="train" if link.needs else "all",
        num_classes=context.num_classes,
        views=views,
        features=list(heard.kept),
    )
    count = context.content.count if context.content else 0
    seen = views * (context.train_images if link.needs else count)
    details = run_details(context.settings).model_copy(update={"weights": next(iter(link.files), None)})
    size = int((seen + count) * row_bytes(context.num_classes or 0) + seen * heard.row_bytes)
    return DraftJob(settings, {"pack": pack, **link.needs}, Cost(details, seen + count, size, link.reason))


def row_bytes(classes: int) -> int:
    """Return what one cached answer takes on disk: every logit in fp16, beyond 1000 classes a row of the largest."""
    return 2 * classes if classes <= 1000 else LARGEST_ROW


def _add(context: PlanContext, drawn: DraftJob) -> str:
    return context.draft.add(drawn.settings, drawn.needs, drawn.cost)
