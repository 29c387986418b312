"""The jobs of one network: takes a run's draft, adds training, pruning, measuring and explaining to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from engine.errors import DataError
from engine.inputs.hub import offline_reason
from engine.plan.cost.macs import count_params
from engine.plan.draft import Cost, Draft, PlanContext, RunDraft, TeachingPlan
from engine.plan.pack import images_root
from engine.spec import Prune, Settings, Student, weights_file
from engine.spec.backends import settle_backend
from engine.spec.identity import counted_settings
from engine.spec.job_kinds import final_network
from engine.spec.job_settings import (
    DeviceKind,
    ExplainSettings,
    JobDetails,
    LatencyTarget,
    MeasureSettings,
    PruneSettings,
    TrainSettings,
    ViewedData,
)
from engine.spec.quantize import is_timed


def plan_student(run: RunDraft) -> None:
    """Add the student's training; one that is pruned before it is trained by the job that prunes it."""
    context, prune = run.context, run.context.settings.prune
    if prune is not None and context.settings.is_pruned and prune.when == "before":
        return
    settings = train_settings(context, context.settings, context.seed, run.teaching)
    own = pruned_need(run) if not context.settings.is_pruned else {}  # what is pruned by chance begins whole
    needs = {"pack": run.jobs["pack"], **own}
    run.jobs["student"] = add_training(context, settings, context.settings, needs, run.teaching)


def add_training(
    context: PlanContext,
    told: TrainSettings,
    settings: Settings,
    needs: Mapping[str, str],
    teaching: TeachingPlan | None = None,
) -> str:
    """Add the training that `told` decides; `settings` are the context's, or have another network in its place."""
    cost = train_cost(context, settings, settings.train.epochs, teaching)
    return context.draft.add(told, {**needs, **(teaching.needs if teaching else {})}, cost)


def pruned_need(run: RunDraft) -> dict[str, str]:
    """Return the job whose widths the run's network has, where it is a control of a pruned one."""
    return {"pruned": run.jobs["pruned"]} if "pruned" in run.jobs else {}


def plan_prune(run: RunDraft) -> None:
    context, teaching = run.context, run.teaching
    settings, prune = context.settings, context.settings.prune or Prune()
    if not settings.is_pruned:
        return
    parent = {"parent": run.jobs["student"]} if "student" in run.jobs else {}
    needs = {"pack": run.jobs["pack"], **(teaching.needs if teaching else {}), **parent, **pruned_need(run)}
    training = train_settings(context, settings, context.seed, teaching)
    told = PruneSettings.model_validate({**dict(training), "prune": prune, "latency": latency_target(context)})
    epochs = prune.recover_epochs + 1 + (settings.train.epochs if prune.when == "before" else 0)
    run.jobs["prune"] = context.draft.add(told, needs, train_cost(context, settings, epochs, teaching))


def latency_target(context: PlanContext) -> LatencyTarget | None:
    """Return whose latency a run's pruning is a share of, None where it is of something else.

    Raises DataError where its jobs are for a GPU.
    """
    settings, prune = context.settings, context.settings.prune
    if prune is None or prune.of != "latency":
        return None
    if context.draft.device(settings) == "gpu":
        what = "a share of latency is solved for the CPU, and the jobs of this run are for a GPU"
        raise DataError(what, where="prune.of", fix="set of: macs, or plan for the CPU: resources.gpus: 0 or --cpu")
    return LatencyTarget(threads=settings.measure.threads[0], device="cpu")


def plan_measure(run: RunDraft) -> None:
    """Speed depends on the shape alone: only a pruned network, whose shape is a result, is measured per seed.

    A quantised network is a file, which its own runtime runs on the CPU, and the baseline's beside it; one that no
    runtime is timed with has no speed.
    """
    context, settings = run.context, run.context.settings
    if settings.quantize is not None and not is_timed(settings.quantize):
        return
    is_file = settings.quantize is not None
    needs = {"parent": final_network(run.jobs)} if settings.is_pruned or "pruned" in run.jobs or is_file else {}
    told = _measured_alone(context, settings, on_cpu=is_file)
    beside = told.model_copy(update={"against": _network_beside(context, told, is_cut=bool(needs), on_cpu=is_file)})
    reason = None if context.content else "the number of classes is not known yet"
    images = 500 if beside.against is None else 1000
    # On that kind of device and no other, whatever is found here when its turn comes.
    details = run_details(settings).model_copy(update={"device": told.device})
    run.jobs["measure"] = context.draft.add(beside, needs, Cost(details, images, 0, reason))


def _measured_alone(context: PlanContext, settings: Settings, *, on_cpu: bool = False) -> MeasureSettings:
    device: DeviceKind = "cpu" if on_cpu else context.draft.device(settings)
    return MeasureSettings(
        network=settle_backend(settings.student, settings.data.image_size).model_copy(update={"weights": "none"}),
        num_classes=context.num_classes,
        image_size=settings.data.image_size,
        precision=settings.train.precision,
        measure=settings.measure,
        device=device,
        timing="replays" if device == "gpu" else "calls",
    )


def _network_beside(
    context: PlanContext, told: MeasureSettings, *, is_cut: bool, on_cpu: bool = False
) -> Student | None:
    """Return the network of the baseline, where it is another one that is measured in the same way.

    `is_cut`: the network's own shape, or mask, is a result.

    The shape of a pruned baseline is a result, and another one for each seed: it is measured alone, and nothing
    beside it. Beside one that is quantised nothing is measured either.
    """
    base = context.baseline
    if base is None or base.is_pruned or base.quantize is not None:
        return None
    other = _measured_alone(replace(context, content=context.draft.content(base.data)), base, on_cpu=on_cpu)
    is_alike = counted_settings(other.model_copy(update={"network": told.network})) == counted_settings(told)
    is_itself = counted_settings(other) == counted_settings(told) and not is_cut
    return other.network if is_alike and not is_itself else None


def plan_explain(run: RunDraft) -> None:
    """Maps come from inside of a network, which a quantised file does not show: such a run has none."""
    context, settings = run.context, run.context.settings
    if settings.quantize is not None:
        return
    boxes, cost = _explain_cost(context)
    told = ExplainSettings(
        data=ViewedData.of(settings.data, context.seed),
        network=network_settings(context.draft, settings.student, settings.data.image_size),
        num_classes=context.num_classes,
        explain=settings.explain,
        boxes=boxes,
    )
    needs = {"pack": run.jobs["pack"], "parent": final_network(run.jobs)}
    run.jobs["explain"] = context.draft.add(told, needs, cost)


def _explain_cost(context: PlanContext) -> tuple[str | None, Cost]:
    """Return the digest of the boxes, None where the spec names none, and what the job costs and is told."""
    settings = context.settings
    details, images = run_details(settings), settings.explain.images * 10
    if settings.data.boxes is None:
        return None, Cost(details, images)
    found = context.draft.find_boxes(settings.data)
    if found is None:
        reason = "the boxes, or the images that they are of, are not on this machine"
        return f"absent: {settings.data.boxes}", Cost(details, images, 0, reason)
    return found.digest, Cost(details.model_copy(update={"boxes": str(found.path)}), images)


def train_settings(context: PlanContext, settings: Settings, seed: int, teaching: TeachingPlan | None) -> TrainSettings:
    """Return what decides the training of `settings.student`."""
    return TrainSettings(
        data=ViewedData.of(settings.data, seed),
        network=network_settings(context.draft, settings.student, settings.data.image_size),
        num_classes=context.num_classes,
        train=settings.train,
        distill=teaching.lesson if teaching else None,
        seed=seed,
    )


def network_settings(draft: Draft, student: Student, image_size: int) -> Student:
    """A weights file counts by its content, not by its path; large windows have a backend of their own."""
    student = settle_backend(student, image_size)
    file = weights_file(student.weights)
    if file is None or not file.is_file():
        return student
    return student.model_copy(update={"weights": f"sha256:{draft.digest(file)}"})


def train_cost(context: PlanContext, settings: Settings, epochs: int, teaching: TeachingPlan | None) -> Cost:
    """Return the cost of training `settings.student` for `epochs` epochs, a reason when its weights file is absent."""
    arch, weights = settings.student.arch, settings.student.weights
    own, taught = next(iter(file_paths(weights)), None), list(teaching.files if teaching else ())
    details = run_details(settings).model_copy(update={"weights": own, "teacher_weights": taught})
    size = _network_bytes(settings.student)
    return Cost(details, context.train_images * epochs, size, absent_reason(arch, weights))


def file_paths(weights: str) -> tuple[str, ...]:
    """Return the absolute path of a weights file, none where `weights` is no file."""
    file = weights_file(weights)
    return (str(file.absolute()),) if file is not None else ()


def absent_reason(arch: str, weights: str) -> str | None:
    """Return why a job with these weights cannot be yet."""
    file = weights_file(weights)
    if file is not None and not file.is_file():
        return f"there is no weights file {os.path.abspath(file)}"
    return offline_reason(arch, weights)


def run_details(settings: Settings) -> JobDetails:
    """Return how the jobs of a run are done, and where its images lie."""
    return JobDetails.of(settings, images_root(settings.data))


def _network_bytes(student: Student) -> int:
    """Of a timm network a guess, until a calibration has counted its weights (estimate.py)."""
    return int(count_params(student) * 4 * WEIGHT_COPIES)


WEIGHT_COPIES = 7
"""On the disk: two checkpoints of weights and AdamW's two moments, and the final weights."""
