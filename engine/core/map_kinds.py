"""The kinds of maps that a spec may ask for: takes a network, images and classes, gives those that it has, and why not.

A network that lacks a kind is no error: an experiment compares networks of many families.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.core.attention_gradient import gradient_maps
from engine.core.explain import AttentionMaps, MapUndefined, energy_maps, received_maps, refuse_own_attention
from engine.core.gradcam import gradcam_maps
from engine.core.network.tiny_vit import TinyViT
from engine.core.rollout import rollout_maps
from engine.core.vit_attention import vit_received


@dataclass(frozen=True)
class Asked:
    """Normalised images (B, 3, S, S), the classes that the network says of them (B,) and the true ones (B,)."""

    images: Tensor
    predicted: Tensor
    labels: Tensor


@dataclass(frozen=True)
class DrawnMaps:
    """Maps by kind, in the order asked for, and the reason of each kind that the network has not."""

    maps: Mapping[str, AttentionMaps]
    omitted: Mapping[str, str]


def draw_kinds(network: nn.Module, kinds: Sequence[str], asked: Asked) -> DrawnMaps:
    """Return the maps of every kind in `kinds` (keys of MAPS)."""
    was_training = network.training
    network.eval()
    drawn, omitted = dict[str, AttentionMaps](), dict[str, str]()
    try:
        for kind in kinds:
            try:
                drawn[kind] = MAPS[kind](network, asked)
            except MapUndefined as error:
                omitted[kind] = error.what
    finally:
        network.train(was_training)
    return DrawnMaps(drawn, omitted)


def _received(network: nn.Module, asked: Asked) -> AttentionMaps:
    with torch.no_grad():
        if isinstance(network, TinyViT):
            refuse_own_attention(network, 2)
            return received_maps(network, asked.images, 2)
        return vit_received(network, asked.images)


def _energy(network: nn.Module, asked: Asked) -> AttentionMaps:
    with torch.no_grad():
        return energy_maps(network, asked.images)


MapMaker = Callable[[nn.Module, Asked], AttentionMaps]
MAPS: Mapping[str, MapMaker] = {
    "received": _received,
    "energy": _energy,
    "gradcam": lambda network, asked: gradcam_maps(network, asked.images, asked.predicted),
    "gradcam_true": lambda network, asked: gradcam_maps(network, asked.images, asked.labels),
    "rollout": lambda network, asked: rollout_maps(network, asked.images),
    "attention_gradient": lambda network, asked: gradient_maps(network, asked.images, asked.predicted),
}
