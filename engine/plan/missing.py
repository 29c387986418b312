"""What a spec asks for that is not here, and a plan as JSON: takes specs and plans, gives lines and plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from engine.errors import DataError
from engine.inputs.content import data_images
from engine.inputs.weights import stored_shapes
from engine.plan import Plan, count_passes
from engine.plan.estimate import Estimate
from engine.spec import Data, Spec, weights_file
from engine.spec.cells import expand_cells

IMAGE_WORDS = {"source", "root", "classes", "given"}  # which images there are; the rest is what is made of them


def absent_inputs(spec: Spec) -> list[str]:
    """Return a line for every folder, file and variable that the spec names and this machine lacks or cannot use."""
    cells = [cell.settings for cell in expand_cells(spec)]
    images = {settings.data.model_dump_json(include=IMAGE_WORDS): settings.data for settings in cells}
    weights = {(path, network.weights): None for settings in cells for path, network in settings.networks}
    lines = [line for data in images.values() for line in _absent_data(data)]
    lines += [line for path, file in weights for line in _absent_weights(path, file)]
    return list(dict.fromkeys(lines))


def _absent_data(data: Data) -> list[str]:
    if not data.has_root:
        return []
    try:
        data_images(data)
    except DataError as error:
        return [str(error).replace("\nfix: ", "; fix: ")]
    return []


def _absent_weights(path: str, weights: str) -> Iterator[str]:
    """Yield what is wrong with a weights file as far as it can be told without the images."""
    file = weights_file(weights)
    if file is not None and not file.is_file():
        yield f"{path}.weights: there is no weights file {file}; fix: bring it here, or change weights"
    elif file is not None:
        try:
            stored_shapes(file)
        except DataError as error:
            yield f"{path}.weights: {error}".replace("\nfix: ", "; fix: ")


def plan_json(plan: Plan, estimate: Estimate) -> dict[str, Any]:
    """Return a plan as the contract words it; ids are null while something is missing."""
    ids, passes = {job.key: job.job for job in plan.jobs}, count_passes(plan)
    return {
        "runs": [
            {
                "run": run.run if not plan.is_provisional else None,
                "arm": run.arm,
                "cell": run.cell,
                "seed": run.seed,
                "jobs": {role: ids[key] for role, key in run.jobs.items()},
            }
            for run in plan.runs
        ],
        "jobs": [
            {
                "job": item.job.job,
                "id": item.job.job,
                "kind": item.job.kind,
                "state": item.state if item.job.job else "provisional",
                "reused": item.is_reused,
                "seconds": item.seconds,
                "bytes": item.job.bytes,
                "needs": [ids[need] for need in item.job.needs.values()],
                "reason": item.job.reason,
            }
            for item in estimate.jobs
        ],
        "seconds": estimate.seconds,
        "bytes": estimate.bytes,
        "teacher_passes": asdict(passes) if passes else None,
        "notes": list(plan.notes),
    }
