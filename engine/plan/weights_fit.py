"""Whether weights files fit their networks: takes a run's context, raises for names or shapes that do not.

A network's names and shapes are known to torch alone. A child process builds it without memory and compares, some
seconds for each file that was never asked about; its answer is kept in the cache. Where it cannot run, the job tells.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.home.files import read_object, write_atomic
from engine.inputs.looks import teacher_look
from engine.inputs.weights import head_outputs, stored_shapes
from engine.plan.draft import PlanContext
from engine.spec import Network, Student, Teacher, weights_file
from engine.spec.identity import digest_of

MODULE = "engine.core.network.fit"
SECONDS = 120


def check_fit(context: PlanContext) -> None:
    """Raise DataError for a weights file whose names or shapes are not those of its network."""
    for path, network in context.settings.networks:
        file = weights_file(network.weights)
        if file is None or not file.is_file():
            continue
        problem = _ask(context.draft.home.fits, _question(context, network, file))
        if problem is not None:
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
        "versions": [_version("torch"), _version("timm")],
    }


def _ask(kept: Path, question: dict[str, Any]) -> tuple[str, str] | None:
    key, known = digest_of(question), read_object(kept) if kept.exists() else {}
    if key not in (known or {}):
        answer = _run_child(question)
        if answer is None:
            return None
        known = {**(known or {}), key: answer}
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, json.dumps(known, sort_keys=True))
    told = (known or {})[key]
    return (str(told[0]), str(told[1])) if told else None


def _run_child(question: dict[str, Any]) -> list[str] | None:
    """Return what is wrong and the fix, an empty list where the weights fit, None where nobody could tell."""
    command = [sys.executable, "-P", "-m", MODULE]
    root = Path(__file__).parents[2]
    try:
        done = subprocess.run(
            command, input=json.dumps(question), capture_output=True, text=True, timeout=SECONDS, check=True,
            env=_environment(root),
        )  # fmt: skip
        answer: list[str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return answer


def _environment(root: Path) -> dict[str, str]:

    return {**os.environ, "PYTHONPATH": str(root)}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
