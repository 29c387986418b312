"""Weights files before anything is queued: takes a run's context, raises for one that cannot serve it.

What the header tells is told here; whether the weights fit their network, and know anything, is the job's to find out.
"""

from __future__ import annotations

from engine.errors import DataError
from engine.inputs.weights import head_outputs, size_problem, stored_shapes
from engine.plan.draft import PlanContext
from engine.spec import Teacher, weights_file


def check_files(context: PlanContext) -> None:
    """Raise DataError for a file that is no .safetensors file, or whose head cannot be of the data's classes."""
    for path, network in context.settings.networks:
        file = weights_file(network.weights)
        if file is None or not file.is_file():
            continue
        try:
            outputs = head_outputs(stored_shapes(file))
        except DataError as error:
            raise DataError(f"{file}: {error.what}", where=f"{path}.weights", fix=error.fix) from error
        if isinstance(network, Teacher) and network.is_given and outputs is not None and context.content is not None:
            _check_head(path, network, str(file), outputs, context.content.class_names)


def _check_head(path: str, teacher: Teacher, file: str, outputs: int, class_names: tuple[str, ...]) -> None:
    problem = size_problem(class_names, outputs, teacher.classes)
    if problem is not None:
        raise DataError(f"{file}: {problem.what}", where=f"{path}.weights", fix=problem.fix)
