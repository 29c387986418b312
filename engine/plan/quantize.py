"""The job that quantises: takes a run's draft, adds one that makes an int8 file of the run's trained network."""

from __future__ import annotations

from engine.plan.draft import Cost, RunDraft
from engine.plan.network_jobs import network_settings, run_details
from engine.spec.job_kinds import final_network
from engine.spec.job_settings import QuantizeSettings, ViewedData


def plan_quantize(run: RunDraft) -> None:
    context, settings = run.context, run.context.settings
    if settings.quantize is None:
        return
    told = QuantizeSettings(
        data=ViewedData.of(settings.data, context.seed),
        network=network_settings(context.draft, settings.student, settings.data.image_size),
        num_classes=context.num_classes,
        quantize=settings.quantize,
        seed=context.seed,
    )
    needs = {"pack": run.jobs["pack"], "parent": final_network(run.jobs)}
    size = int(FILE_SHARE * context.draft.jobs[needs["parent"]].bytes)
    run.jobs["quantize"] = context.draft.add(told, needs, Cost(run_details(settings), context.train_images, size))


FILE_SHARE = 1 / 28  # of the bytes of a training: a byte for each parameter, where that keeps seven times four
