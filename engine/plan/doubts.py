"""What a plan tells and does not refuse: takes runs and the images they are of, gives lines with the word and a fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.inputs.missing import batch_doubts
from engine.plan.draft import Draft, Run
from engine.spec import Spec
from engine.spec.cells import expand_cells


def plan_doubts(spec: Spec, runs: Sequence[Run], draft: Draft) -> tuple[str, ...]:
    """Return arms that share every job, batches larger than the training part, and a GPU that is not here."""
    known = [(cell, draft.content(cell.settings.data)) for cell in expand_cells(spec)]
    batches = batch_doubts((cell, content) for cell, content in known if content is not None)
    return tuple(dict.fromkeys((*_same_jobs(spec, runs), *batches, *_gpu_doubts(spec, draft))))


def _gpu_doubts(spec: Spec, draft: Draft) -> Iterator[str]:
    """Yield that jobs will wait: a spec that asks for a GPU gets no CPU in its place without a word."""
    asks = any(cell.settings.resources.asks_gpu for cell in expand_cells(spec))
    if asks and not draft.has_gpu and not draft.on_cpu:
        fix = "submit it with --cpu to run it on the CPU, or on a machine that has a GPU"
        yield f"resources.gpus: its jobs wait for a GPU: none is found here\nfix: {fix}"


def _same_jobs(spec: Spec, runs: Sequence[Run]) -> Iterator[str]:
    """Yield the arms whose runs are the same jobs at every point and seed: two rows of one training."""
    arms: dict[str, list[object]] = {}
    for run in runs:
        if spec.search is not None and spec.search.is_searched(run.arm):  # its trials are run, and not it
            continue
        arms.setdefault(run.arm, []).append((run.cell, run.seed, sorted(run.jobs.items())))
    seen: dict[str, str] = {}
    for arm, jobs in arms.items():
        twin = seen.setdefault(repr(jobs), arm)
        if twin != arm:
            yield f"arms.{arm}: its runs are the same jobs as those of arm {twin!r}\nfix: change it, or remove it"
