"""Whether work in fp16 has a GPU to run on: takes a drawn plan, gives a line where it has none."""

from __future__ import annotations

from collections.abc import Iterator

from engine.plan.draft import Draft, Job
from engine.spec import Spec
from engine.spec.base import Precision
from engine.spec.cells import expand_cells
from engine.spec.job_settings import AnsweringNetwork, JobSettings, MeasureSettings, TrainSettings

INSTEAD = "set train.precision: fp32 (or bf16)"


def halves_on_cpu(spec: Spec, draft: Draft) -> tuple[str, ...]:
    """Return a line with the word and the fix where a job in fp16 that is not done would run on the CPU.

    One that waits for a GPU, as a spec with `resources.gpus: 1` asks, has none.
    """
    for job in draft.jobs.values():
        if _is_half(job.settings) and _is_on_cpu(job, draft) and not draft.home.job(job.key).result.exists():
            where = next(_half_words(spec), f"{job.kind} job")
            return (f"{where}: fp16 is for GPUs, and its {job.kind} job would run on the CPU\nfix: {_tell_fix(draft)}",)
    return ()


def _is_half(settings: JobSettings) -> bool:
    precision: Precision = "fp32"
    if isinstance(settings, TrainSettings):
        precision = settings.train.precision
    elif isinstance(settings, AnsweringNetwork | MeasureSettings):
        precision = settings.precision
    return precision == "fp16"


def _is_on_cpu(job: Job, draft: Draft) -> bool:
    details = job.details
    is_free = details.device == "auto" and not draft.has_gpu
    return details.device == "cpu" or details.resources.gpus <= 0 or is_free


def _half_words(spec: Spec) -> Iterator[str]:
    """Yield the words of the spec that ask for fp16; none where the network of another run was trained in it."""
    for cell in expand_cells(spec):
        for path, train in cell.settings.trainings:
            if train.precision == "fp16":
                yield f"{path}.precision (arm {cell.arm})"


def _tell_fix(draft: Draft) -> str:
    if draft.on_cpu:
        return f"{INSTEAD}, or leave --cpu away"
    return f"{INSTEAD}, or let its jobs wait for a GPU: resources.gpus: 1"
