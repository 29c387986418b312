"""Which layers a network has and how large they are: takes its words and names, builds it without memory for it.

`python -P -m engine.core.distill.layer_shapes` reads a question as JSON from a plan (plan/features.py), which loads no
torch, and prints {"shapes": {name: [channels, side]}}, or {"problem": [name, what, fix]}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from engine.core.distill.taps import probe_layers
from engine.core.network.build import build_network
from engine.errors import DataError
from engine.spec import Student

Found = dict[str, Any]


def layer_shapes(network: Student, outputs: int, image_size: int, names: Sequence[str]) -> Found:
    """Return the channels and the side of each layer, or the first that cannot be listened to, what and the fix.

    Of a network that cannot be tried without memory there is no answer: its job tells.
    """
    try:
        with torch.device("meta"):
            built = build_network(network, outputs, image_size)
        return {"shapes": {name: list(shape) for name, shape in probe_layers(built, names, image_size).items()}}
    except DataError as error:
        return {"problem": [error.where, error.what, error.fix or ""]}
    except NotImplementedError:
        return {}


def answer(question: Mapping[str, Any]) -> Found:
    """Return `layer_shapes` of a question that was JSON."""
    network = Student.model_validate(question["network"])
    return layer_shapes(network, question["outputs"], question["image_size"], question["layers"])


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
