"""What pruning will leave, before anything is trained for it: takes a run's context, refuses a ratio that cannot be.

Up to half of the parameters of a TinyViT no question is asked: the job tells in the rare case that so much does not lie
in units. Of a timm network it is asked at any ratio whether its units can be taken away. A share of latency is asked
about where this machine was timed; elsewhere the job times it.
"""

from __future__ import annotations

from engine.errors import DataError
from engine.plan.child import ask_child
from engine.plan.draft import PlanContext
from engine.plan.latency import ask_table, solving
from engine.plan.network_jobs import latency_target, train_settings
from engine.spec.architectures import is_tiny_vit
from engine.spec.job_settings import PruneSettings

MODULE, WHERE = "engine.core.prune_left", "prune.ratio"
EMBEDDING = "prune.embedding"
ASKED_FROM = 0.5
LEAST_LEFT = 0.05
"""Of the parameters: with fewer, most likely the share that stays was written for the share that goes."""


def check_pruned(context: PlanContext) -> list[str]:
    """Return what a person should know of what is left. Raises DataError for a ratio that the units do not give."""
    settings, prune, classes = context.settings, context.settings.prune, context.num_classes
    if prune is None or classes is None or not _is_asked(context):
        return []
    if prune.of == "latency":
        _check_latency(context)
        return []
    question = {
        "network": settings.student.model_copy(update={"weights": "none"}).model_dump(mode="json"),
        "outputs": classes,
        "image_size": settings.data.image_size,
        "prune": prune.model_dump(mode="json"),
    }
    told = ask_child(context.draft.home, MODULE, question)
    if not told:
        return []
    if "what" in told:
        where = EMBEDDING if told["what"].startswith(EMBEDDING) else WHERE
        raise DataError(told["what"].removeprefix(f"{where} "), where=where, fix=told["fix"])
    left = f"{told['share']:.1%} of the parameters ({told['params']:,})"
    single = f"one unit in {told['single']} of {told['layers']} layers"
    if told["single"]:
        return [f"{WHERE}: {prune.ratio:g} leaves {left}, and {single}\nfix: take less away"]
    few = told["share"] < LEAST_LEFT
    return [f"{WHERE}: {prune.ratio:g} leaves {left}\nfix: take less away"] if few else []


def _check_latency(context: PlanContext) -> None:
    """Raise DataError for a share of latency that the units do not give, where this machine was timed."""
    settings, prune, target = context.settings, context.settings.prune, latency_target(context)
    assert prune is not None
    assert target is not None
    training = train_settings(context, settings, context.seed, None)
    asked = solving(PruneSettings.model_validate({**dict(training), "prune": prune}), target)
    told = ask_table(context.draft.home, asked) or {}
    if "what" in told:
        raise DataError(told["what"].removeprefix(f"{WHERE} "), where=WHERE, fix=told["fix"])


def _is_asked(context: PlanContext) -> bool:
    settings, prune = context.settings, context.settings.prune
    if prune is None or not settings.is_pruned:
        return False
    if prune.of == "latency":
        return True
    return prune.ratio > ASKED_FROM or not is_tiny_vit(settings.student.arch)
