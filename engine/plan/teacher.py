"""Who teaches: takes a `teacher` section, adds the job that trains it (if any), gives what its targets need to know.

A teacher is trained here, gets a new head here, is another run's network, or is taken as its weights come. Only the
last has seen no split of this data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import DataError
from engine.inputs.looks import Look, is_trained_here, teacher_look
from engine.plan.draft import PlanContext
from engine.plan.network_jobs import absent_reason, add_training, file_paths, network_settings, train_settings
from engine.plan.teacher_run import find_run, take_over
from engine.spec import Data, Network, Settings, Student, Teacher, Train, head_problem
from engine.spec.job_settings import AnsweringNetwork


@dataclass(frozen=True)
class TeacherLink:
    """A network that teaches: `needs` names the job that trains it, `about` is what its targets' settings say of it."""

    name: str
    needs: Mapping[str, str]
    data: Data
    about: AnsweringNetwork
    files: tuple[str, ...] = ()
    reason: str | None = None


def plan_teacher(context: PlanContext, teacher: Teacher, pack: str) -> TeacherLink:
    """Add what trains `teacher`, if anything does. Raises DataError when its head or its run cannot serve this data."""
    if teacher.run is not None:
        return _referred_link(context, teacher, teacher.run, pack)
    if teacher.is_given:
        return _given_link(context, teacher)
    train = teacher.train or context.settings.train
    settings = in_place(context.settings, teacher, train, teacher_look(teacher, context.settings.data))
    return trained_link(context, settings, _plan_trained(context, teacher, settings, pack), teacher.logit_scale)


def trained_link(context: PlanContext, settings: Settings, job: str, logit_scale: float = 1.0) -> TeacherLink:
    """Return a network that `job` trains by `settings`, in which it stands in the student's place."""
    network = network_settings(context.draft, settings.student, settings.data.image_size)
    about = _own_head(network, settings.train, logit_scale)
    return TeacherLink(settings.student.arch, {"teacher": job}, settings.data, about)


def in_place(settings: Settings, network: Network, train: Train, look: Look | None = None) -> Settings:
    """Return `settings` with another network in the student's place: equal trainings are then one job.

    It sees the images as `look` says, as the student does where there is none.
    """
    fields = {name: getattr(network, name) for name in Network.model_fields}
    student = Student(**fields, weights=getattr(network, "weights", "none"))
    data = settings.data.model_copy(update=look.placed if look else {})
    return settings.model_copy(update={"student": student, "train": train, "data": data})


def _plan_trained(context: PlanContext, teacher: Teacher, settings: Settings, pack: str) -> str:
    """A probe is fitted to its optimum: of the training settings only what decides its numbers is its own."""
    told = train_settings(context, settings, teacher.seed, None)
    if teacher.head == "slice":
        return add_training(context, told, settings, {"pack": pack})
    told = told.model_copy(update={"head": teacher.head})
    if teacher.head == "probe":
        train = settings.train
        own = Train(precision=train.precision, threads=train.threads, deterministic=train.deterministic)
        told = told.model_copy(update={"train": own})
        once = train.model_copy(update={"epochs": 1})  # it looks at each image once
        settings = settings.model_copy(update={"train": once})
    return add_training(context, told, settings, {"pack": pack})


def _given_link(context: PlanContext, teacher: Teacher) -> TeacherLink:
    problem = head_problem(teacher, context.content.class_names) if context.content else None
    if problem:
        raise DataError(problem[0], where="teacher.head", fix=problem[1])
    look = teacher_look(teacher, context.settings.data)
    settings = in_place(context.settings, teacher, context.settings.train, look)
    network = network_settings(context.draft, settings.student, settings.data.image_size)
    about = AnsweringNetwork(
        network=network,
        head="slice",
        logit_scale=teacher.logit_scale,
        precision=settings.train.precision,
        threads=settings.train.threads,
        classes=teacher.classes,
        expect="any" if is_trained_here(teacher.weights) and teacher.expect == "listed" else teacher.expect,
        mean=list(look.mean) if look.mean else None,
        std=list(look.std) if look.std else None,
    )
    files, reason = file_paths(teacher.weights), absent_reason(teacher.arch, teacher.weights)
    return TeacherLink(teacher.arch, {}, settings.data, about, files, reason)


def _referred_link(context: PlanContext, teacher: Teacher, name: str, pack: str) -> TeacherLink:
    found = find_run(context, name, teacher.seed)
    job, made_of = take_over(context, name, found, pack)
    seen = {name: getattr(made_of.data, name) for name in ("image_size", "crop_share", "interpolation")}
    data = context.settings.data.model_copy(update=seen)
    about = _own_head(made_of.network, made_of.train, teacher.logit_scale)
    return TeacherLink(name, {"teacher": job}, data, about)


def _own_head(network: Student, train: Train, logit_scale: float) -> AnsweringNetwork:
    """Return a network that was trained on this data: it is asked as it was trained."""
    return AnsweringNetwork(
        network=network, head="own", logit_scale=logit_scale, precision=train.precision, threads=train.threads
    )
