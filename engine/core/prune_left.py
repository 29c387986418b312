"""What a ratio of pruning leaves of a network: takes its words, builds it without memory, counts units and parameters.

`python -P -m engine.core.prune_left` reads a question as JSON from a plan (plan/prune_left.py), which loads no torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from engine.core.measure import count_params
from engine.core.network.build import build_network
from engine.core.prune.masks import mask_sizes, maskable, two_of_four_weights
from engine.core.prune.shares import plan_drops
from engine.core.prune.structured import find_layers, total_of
from engine.core.prune.tally import make_cost
from engine.errors import XpError
from engine.spec import Prune, Student


def prune_left(network: Student, outputs: int, image_size: int, prune: Prune) -> dict[str, Any]:
    """Return the share and number of parameters that stay, and in how many layers a single unit of several.

    `what` and `fix` where the ratio cannot be, or the network cannot be pruned.
    """
    try:
        with torch.device("meta"):
            built = build_network(network, outputs, image_size)
        total = count_params(built)
        if prune.is_mask:
            return _mask_left(built, prune, total)
        layers = find_layers(built, prune.of, image_size, prune.embedding, prune.round_to)
        cost = make_cost(built, layers, prune.of, image_size)
        drops = plan_drops(layers, prune.ratio, total_of(built, layers, prune.of, image_size), cost)
    except XpError as error:
        return {"what": error.what, "fix": error.fix or ""}
    each = find_layers(built, "params", image_size, prune.embedding)
    params = round(total - make_cost(built, each, "params", image_size)(drops))
    single = sum(drop > 0 and layer.units - drop == 1 for layer, drop in zip(layers, drops, strict=True))
    return {"share": params / total, "params": params, "single": single, "layers": len(layers)}


def _mask_left(network: nn.Module, prune: Prune, total: int) -> dict[str, Any]:
    """Return the same of a mask; how many zeros there are depends on no scores."""
    if prune.method == "2:4":
        left = total - sum(weight.numel() // 2 for weight in two_of_four_weights(network).values())
    else:
        even = prune.model_copy(update={"scope": "layer"})
        left = total - sum(mask_sizes(network, even, maskable(network)).values())
    return {"share": left / total, "params": left, "single": 0, "layers": len(maskable(network))}


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return `prune_left` of a question that was JSON."""
    network, prune = Student.model_validate(question["network"]), Prune.model_validate(question["prune"])
    return prune_left(network, question["outputs"], question["image_size"], prune)


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
