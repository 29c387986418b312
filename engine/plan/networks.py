"""The jobs of one network: takes a scene, adds training, pruning, measuring and explaining to its draft."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.content import file_digest
from engine.identity import counted_settings
from engine.plan.draft import Cost, Scene
from engine.spec import Data, Distill, Prune, Settings, Student

Jobs = Mapping[str, str]
TAUGHT_NEEDS = ("pack", "targets")


def plan_student(scene: Scene, jobs: Jobs) -> str:
    needs = {role: jobs[role] for role in TAUGHT_NEEDS if role in jobs}
    settings = scene.settings
    inner = train_settings(scene, settings, scene.seed, taught=settings.is_taught)
    return scene.draft.add("train", needs, inner, train_cost(scene, settings, settings.train.epochs))


def plan_prune(scene: Scene, jobs: Jobs) -> str:
    settings, prune = scene.settings, scene.settings.prune or Prune()
    needs = {role: jobs[role] for role in TAUGHT_NEEDS if role in jobs} | {"parent": jobs["student"]}
    inner = train_settings(scene, settings, scene.seed, taught=settings.is_taught)
    inner |= {"prune": counted_settings(prune)}
    return scene.draft.add("prune", needs, inner, train_cost(scene, settings, prune.recover_epochs + 1))


def plan_measure(scene: Scene, jobs: Jobs) -> str:
    """Speed depends on the shape alone: only a pruned network, whose shape is a result, is measured per seed."""
    settings = scene.settings
    needs = {"parent": jobs["prune"]} if "prune" in jobs else {}
    inner = {
        "network": counted_settings(settings.student.model_copy(update={"weights": "none"})),
        "num_classes": scene.num_classes,
        "image_size": settings.data.image_size,
        "precision": settings.train.precision,
        "measure": counted_settings(settings.measure),
    }
    reason = None if scene.content else "the number of classes is not known yet"
    return scene.draft.add("measure", needs, inner, Cost(run_details(settings), 500, 0, reason))


def plan_explain(scene: Scene, jobs: Jobs) -> str:
    settings = scene.settings
    needs = {"pack": jobs["pack"], "parent": jobs.get("prune", jobs["student"])}
    inner = {
        "network": counted_settings(settings.student),
        "num_classes": scene.num_classes,
        "data": counted_settings(settings.data),
        "explain": counted_settings(settings.explain),
    }
    return scene.draft.add("explain", needs, inner, Cost(run_details(settings), settings.explain.images * 10, 0))


def train_settings(scene: Scene, settings: Settings, seed: int, *, taught: bool) -> dict[str, Any]:
    """Return what decides a training: `settings` are the scene's, or those of a teacher in the student's place."""
    return {
        "data": data_settings(settings.data, seed),
        "network": _network_settings(settings.student),
        "num_classes": scene.num_classes,
        "train": counted_settings(settings.train),
        "distill": _distill_settings(settings.distill) if taught else None,
        "seed": seed,
    }


def data_settings(data: Data, seed: int) -> dict[str, Any]:
    """Views that the run's seed decides are written down with that seed."""
    return counted_settings(data.model_copy(update={"view_seed": seed} if data.view_seed == "run" else {}))


def _distill_settings(distill: Distill) -> dict[str, Any]:
    """Weights enter by value, so that a loss's own weights, spelt out or not, are one setting."""
    weight, label_weight = distill.weights
    return counted_settings(distill) | {"weight": weight, "label_weight": label_weight}


def _network_settings(student: Student) -> dict[str, Any]:
    """A weights file counts by its content, not by its path."""
    settings = counted_settings(student)
    if student.weights not in ("none", "pretrained") and Path(student.weights).is_file():
        settings["weights"] = f"sha256:{file_digest(Path(student.weights))}"
    return settings


def train_cost(scene: Scene, settings: Settings, epochs: int) -> Cost:
    """Return the cost of training `settings.student` for `epochs` epochs, a reason when its weights file is absent."""
    details = run_details(settings)
    weights = settings.student.weights
    reason = None
    if weights not in ("none", "pretrained"):
        details["weights"] = str(Path(weights).absolute())
        reason = None if Path(weights).is_file() else f"there is no weights file {weights}"
    return Cost(details, scene.train_images * epochs, _network_bytes(settings.student), reason)


def run_details(settings: Settings) -> dict[str, Any]:
    """Return how a job is run: no part of any id."""
    return {
        "workers": settings.data.workers,
        "memory": settings.train.memory,
        "on_oom": settings.train.on_oom,
        "save_minutes": settings.train.save_minutes,
        "resources": settings.resources.model_dump(),
    }


def _network_bytes(student: Student) -> int:
    """Two checkpoints of weights and AdamW's two moments, and the final weights: a guess of the right size."""
    params = PARAMS_GUESS.get(student.arch, 25e6)
    if student.arch == "tiny_vit" and student.dims and student.depths:
        params = sum(12 * dim**2 * depth for dim, depth in zip(student.dims, student.depths, strict=True))
    return int(params * 4 * 7)


PARAMS_GUESS = {"tiny_vit_5m": 5.1e6, "tiny_vit_11m": 10.6e6, "tiny_vit_21m": 20.7e6}
