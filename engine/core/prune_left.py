"""What a ratio of pruning leaves of a network: takes its words, builds it without memory, counts units and parameters.

`python -P -m engine.core.prune_left` reads a question as JSON from a plan (plan/prune_left.py), which loads no torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import torch

from engine.core.measure import count_params
from engine.core.network.build import build_network
from engine.core.network.tiny_vit import TinyViT
from engine.core.prune import find_layers, plan_drops
from engine.errors import XpError
from engine.spec import Prune, Student


def prune_left(network: Student, outputs: int, image_size: int, prune: Prune) -> dict[str, Any]:
    """Return the share and number of parameters that stay, and in how many layers a single unit of several.

    `what` and `fix` where the ratio cannot be; nothing for a network whose units are not known.
    """
    try:
        with torch.device("meta"):
            built = build_network(network, outputs, image_size)
        if not isinstance(built, TinyViT):
            return {}
        layers, total = find_layers(built), count_params(built)
        drops = plan_drops(layers, prune.ratio, total)
    except XpError as error:
        return {"what": error.what, "fix": error.fix or ""}
    params = round(total - sum(layer.cost * drop for layer, drop in zip(layers, drops, strict=True)))
    single = sum(drop > 0 and layer.units - drop == 1 for layer, drop in zip(layers, drops, strict=True))
    return {"share": params / total, "params": params, "single": single, "layers": len(layers)}


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return `prune_left` of a question that was JSON."""
    network, prune = Student.model_validate(question["network"]), Prune.model_validate(question["prune"])
    return prune_left(network, question["outputs"], question["image_size"], prune)


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
