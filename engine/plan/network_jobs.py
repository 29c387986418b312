"""The jobs of one network: takes a context, adds training, pruning, measuring and explaining to its draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import MissingData
from engine.inputs.content import resolve_root
from engine.plan.draft import Cost, Draft, PlanContext
from engine.spec import Data, Prune, Settings, Student, weights_file
from engine.spec.identity import VIEW_VERSION, counted_settings

Jobs = Mapping[str, str]


@dataclass(frozen=True)
class TeachingPlan:
    """What a learner's job needs of its teacher, by role, its `distill` settings, and the teacher's weights files."""

    needs: Jobs
    distill: Mapping[str, Any]
    files: tuple[str, ...] = ()


def plan_training(
    context: PlanContext,
    settings: Settings,
    seed: int,
    pack: str,
    teaching: TeachingPlan | None = None,
    more: Mapping[str, Any] | None = None,
) -> str:
    """Add the training of `settings.student`; `settings` are the context's, or have another network in its place."""
    inner = train_settings(context, settings, seed, teaching) | dict(more or {})
    cost = train_cost(context, settings, settings.train.epochs, teaching)
    return context.draft.add("train", {"pack": pack, **(teaching.needs if teaching else {})}, inner, cost)


def plan_prune(context: PlanContext, jobs: Jobs, teaching: TeachingPlan | None) -> str:
    settings, prune = context.settings, context.settings.prune or Prune()
    needs = {"pack": jobs["pack"], **(teaching.needs if teaching else {}), "parent": jobs["student"]}
    inner = train_settings(context, settings, context.seed, teaching) | {"prune": counted_settings(prune)}
    return context.draft.add("prune", needs, inner, train_cost(context, settings, prune.recover_epochs + 1, teaching))


def plan_measure(context: PlanContext, jobs: Jobs) -> str:
    """Speed depends on the shape alone: only a pruned network, whose shape is a result, is measured per seed."""
    settings = context.settings
    needs = {"parent": jobs["prune"]} if "prune" in jobs else {}
    inner = {
        "network": counted_settings(settings.student.model_copy(update={"weights": "none"})),
        "num_classes": context.num_classes,
        "image_size": settings.data.image_size,
        "precision": settings.train.precision,
        "measure": counted_settings(settings.measure),
    }
    reason = None if context.content else "the number of classes is not known yet"
    return context.draft.add("measure", needs, inner, Cost(run_details(settings), 500, 0, reason))


def plan_explain(context: PlanContext, jobs: Jobs) -> str:
    settings = context.settings
    needs = {"pack": jobs["pack"], "parent": jobs.get("prune", jobs["student"])}
    inner = {
        "network": network_settings(context.draft, settings.student),
        "num_classes": context.num_classes,
        "data": counted_settings(settings.data),
        "explain": counted_settings(settings.explain),
    }
    return context.draft.add("explain", needs, inner, Cost(run_details(settings), settings.explain.images * 10, 0))


def train_settings(
    context: PlanContext, settings: Settings, seed: int, teaching: TeachingPlan | None
) -> dict[str, Any]:
    """Return what decides a training."""
    return {
        "data": data_settings(settings.data, seed),
        "network": network_settings(context.draft, settings.student),
        "num_classes": context.num_classes,
        "train": counted_settings(settings.train),
        "distill": dict(teaching.distill) if teaching else None,
        "seed": seed,
    }


def data_settings(data: Data, seed: int) -> dict[str, Any]:
    """Views that the run's seed decides are written down with that seed, all with the version of augmentation."""
    seeded = data.model_copy(update={"view_seed": seed} if data.view_seed == "run" else {})
    return counted_settings(seeded) | {"view_version": VIEW_VERSION}


def network_settings(draft: Draft, student: Student) -> dict[str, Any]:
    """A weights file counts by its content, not by its path."""
    settings, file = counted_settings(student), weights_file(student.weights)
    if file is not None and file.is_file():
        settings["weights"] = f"sha256:{draft.digest(file)}"
    return settings


def train_cost(context: PlanContext, settings: Settings, epochs: int, teaching: TeachingPlan | None) -> Cost:
    """Return the cost of training `settings.student` for `epochs` epochs, a reason when its weights file is absent."""
    details, weights = run_details(settings), settings.student.weights
    if files := file_paths(weights):
        details["weights"] = files[0]
    if teaching is not None and teaching.files:
        details["teacher_weights"] = list(teaching.files)
    size = _network_bytes(settings.student)
    return Cost(details, context.train_images * epochs, size, absent_reason(weights))


def file_paths(weights: str) -> tuple[str, ...]:
    """Return the absolute path of a weights file, none where `weights` is no file."""
    file = weights_file(weights)
    return (str(file.absolute()),) if file is not None else ()


def absent_reason(weights: str) -> str | None:
    """Return why a job with these weights cannot be yet."""
    file = weights_file(weights)
    return f"there is no weights file {weights}" if file is not None and not file.is_file() else None


def run_details(settings: Settings) -> dict[str, Any]:
    """Return how a job is run: no part of any id."""
    return {
        "root": images_root(settings.data),
        "workers": settings.data.workers,
        "cache": settings.data.cache,
        "memory": settings.train.memory,
        "on_oom": settings.train.on_oom,
        "save_minutes": settings.train.save_minutes,
        "resources": settings.resources.model_dump(),
    }


def images_root(data: Data) -> str | None:
    """Return where the images lie, None where they are built in or not on this machine."""
    if data.source != "folder":
        return None
    try:
        return str(resolve_root(data.root))
    except MissingData:
        return None


def _network_bytes(student: Student) -> int:
    """Two checkpoints of weights and AdamW's two moments, and the final weights: a guess of the right size."""
    params = PARAMS_GUESS.get(student.arch, 25e6)
    if student.arch == "tiny_vit" and student.dims and student.depths:
        params = sum(12 * dim**2 * depth for dim, depth in zip(student.dims, student.depths, strict=True))
    return int(params * 4 * 7)


PARAMS_GUESS = {"tiny_vit_5m": 5.1e6, "tiny_vit_11m": 10.6e6, "tiny_vit_21m": 20.7e6}
