"""Whether weights files fit their networks: takes a run's context, raises for names or shapes that do not.

A network's names and shapes are known to torch alone: a child process builds it without memory and compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.inputs.looks import teacher_look
from engine.inputs.weights import head_outputs, stored_shapes
from engine.plan.child import ask_child
from engine.plan.draft import PlanContext
from engine.spec import Network, Student, Teacher, weights_file

MODULE = "engine.core.network.fit"


def check_fit(context: PlanContext) -> None:
    """Raise DataError for a weights file whose names or shapes are not those of its network."""
    for path, network in context.settings.networks:
        file = weights_file(network.weights)
        if file is None or not file.is_file():
            continue
        problem = ask_child(context.draft.home, MODULE, _question(context, network, file))
        if problem:
            raise DataError(f"{file}: {problem[0]}", where=f"{path}.weights", fix=problem[1])


def _question(context: PlanContext, network: Network, file: Path) -> dict[str, Any]:
    """Return what decides the answer, as the child reads it."""
    shapes = stored_shapes(file)
    is_given, size = isinstance(network, Teacher) and network.is_given, context.settings.data.image_size
    if isinstance(network, Teacher):
        size = teacher_look(network, context.settings.data).image_size
    outputs = head_outputs(shapes) if is_given else context.num_classes
    words = {name: getattr(network, name) for name in Network.model_fields}
    model = Student.model_validate(words).model_dump(mode="json")
    return {
        "network": model,
        "outputs": outputs or context.num_classes or 2,
        "image_size": size,
        "shapes": {name: list(shape) for name, shape in shapes.items()},
    }
