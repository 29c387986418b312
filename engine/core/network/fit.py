"""Whether weights fit a network: takes names and shapes of both, builds the network without memory for it.

`python -P -m engine.core.network.fit` reads a question as JSON from a plan (plan/weights_fit.py), which loads no torch,
and prints what is wrong and the fix, or an empty list.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from engine.core.network.build import build_network, check_shapes
from engine.errors import XpError
from engine.spec import Student


def fit_problem(network: Student, outputs: int, image_size: int, shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """Return (what, fix) where a file of tensors of `shapes` cannot be loaded into `network`, else nothing."""
    given = {name: torch.empty(tuple(shape), device="meta") for name, shape in shapes.items()}
    try:
        with torch.device("meta"):
            built = build_network(network, outputs, image_size)
        check_shapes(built, given)
    except XpError as error:
        return [error.what, error.fix or ""]
    return []


def answer(question: Mapping[str, Any]) -> list[str]:
    """Return `fit_problem` of a question that was JSON."""
    network = Student.model_validate(question["network"])
    return fit_problem(network, question["outputs"], question["image_size"], question["shapes"])


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
