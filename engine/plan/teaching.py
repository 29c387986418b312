"""The jobs of teaching: takes a scene, adds a teacher's training and its targets to the draft."""

from __future__ import annotations

from engine.identity import counted_settings
from engine.plan.draft import Cost, Scene
from engine.plan.networks import Jobs, data_settings, train_cost, train_settings
from engine.spec import Network, Student, Teacher


def plan_teaching(scene: Scene, teacher: Teacher, jobs: Jobs) -> dict[str, str]:
    """Return the jobs, by role, that come before a taught student."""
    trained = _plan_teacher(scene, teacher, jobs)
    return {"teacher": trained, "targets": _plan_targets(scene, teacher, trained, jobs)}


def _plan_teacher(scene: Scene, teacher: Teacher, jobs: Jobs) -> str:
    train = teacher.train or scene.settings.train
    plain = scene.settings.model_copy(update={"student": as_student(teacher), "train": train})
    inner = train_settings(scene, plain, teacher.seed, taught=False)
    return scene.draft.add("train", {"pack": jobs["pack"]}, inner, train_cost(scene, plain, train.epochs))


def _plan_targets(scene: Scene, teacher: Teacher, trained: str, jobs: Jobs) -> str:
    settings, views = scene.settings, view_count(scene)
    train = teacher.train or settings.train
    inner = {
        "data": data_settings(settings.data, scene.seed),
        "network": counted_settings(as_student(teacher)),
        "num_classes": scene.num_classes,
        "views": views,
        "precision": train.precision,
        "threads": train.threads,
    }
    images = scene.train_images * views
    cost = Cost({}, images / 3, int(images * 2 * (scene.num_classes or 0)))
    return scene.draft.add("targets", {"pack": jobs["pack"], "teacher": trained}, inner, cost)


def view_count(scene: Scene) -> int:
    """Targets are needed for every view that an epoch of training or recovery looks at."""
    settings = scene.settings
    recovery = settings.prune.recover_epochs if settings.is_pruned and settings.prune else 0
    return settings.data.views or max(settings.train.epochs, recovery)


def as_student(network: Network) -> Student:
    """A teacher that this engine trains is a network like any other, so that equal ones are one job."""
    fields = {name: getattr(network, name) for name in Network.model_fields}
    return Student(**fields, weights=getattr(network, "weights", "none"))
