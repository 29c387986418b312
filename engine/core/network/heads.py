"""Heads: takes a network with its weights, gives it a head for the data's classes, or the part of its own that is them.

A head is found as timm describes it (`pretrained_cfg`), a tiny_vit's by its name. What enters it are pooled features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from engine.core.data.wordnet import slice_places
from engine.core.network.build import normalization
from engine.core.network.layers import init_linear
from engine.core.network.tiny_vit import TinyViT
from engine.errors import DataError, closest_hint
from engine.inputs.weights import NEW_HEAD, is_of_imagenet, size_problem, stored_shapes
from engine.spec import Network
from engine.spec.architectures import is_tiny_vit
from engine.spec.timm_views import TINY_TAG


class SlicedNetwork(nn.Module):
    """A whole network and the places of the data's classes among its outputs (None: its outputs are those classes).

    Normalised images (B, 3, S, S) to logits (B, classes); `full` gives all outputs.
    """

    places: Tensor | None

    def __init__(self, full: nn.Module, places: Tensor | None, mean: Sequence[float] = (), std: Sequence[float] = ()):
        super().__init__()
        # A spec's own figures win over timm's.
        own_mean, own_std = normalization(full)
        self.full, self.mean, self.std = full, tuple(mean or own_mean), tuple(std or own_std)
        self.register_buffer("places", places, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.full(images)
        return logits if self.places is None else logits[:, self.places]


def find_places(class_names: Sequence[str], outputs: int, own_names: Sequence[str] | None) -> Tensor | None:
    """Return int64 (classes,): where among `outputs` each of `class_names` lies; None where they are the outputs.

    By the head's `own_names` where they are known, else by WordNet id, else a head of the same size is taken to have
    the data's order. Raises DataError when none of the three fits.
    """
    problem = size_problem(class_names, outputs, own_names)
    if problem is not None:
        raise problem
    if own_names is not None:
        return _places_by_name(class_names, own_names)
    return slice_places(class_names, outputs) if is_of_imagenet(class_names, outputs) else None


def _places_by_name(class_names: Sequence[str], own_names: Sequence[str]) -> Tensor:
    absent = [name for name in class_names if name not in own_names]
    if absent:
        what = f"{len(absent)} of the data's classes are none of the teacher's: {', '.join(map(repr, absent[:5]))}"
        raise DataError(what, where="teacher.classes", fix=f"{closest_hint(absent[0], own_names)} Or {NEW_HEAD}")
    return torch.tensor([list(own_names).index(name) for name in class_names])


def count_outputs(network: Network, weights: str) -> int:
    """Return how many classes the head of these weights has. Raises DataError when they have no head."""
    name = _timm_name(network)
    config = timm.get_pretrained_cfg(name, allow_unregistered=True) if timm.is_model(name) else None
    if weights == "pretrained":
        outputs, lacks = config.num_classes if config is not None else 0, ""
    else:
        classifier = _classifier_name(config.classifier if config else "head.fc")
        outputs, lacks = _stored_outputs(Path(weights), classifier), f" of this network ({classifier}.weight)"
    if not outputs:
        fix = f"use weights of the same network; or {NEW_HEAD}" if lacks else NEW_HEAD
        raise DataError(f"these weights have no classifier{lacks}", where=f"teacher.weights ({network.arch})", fix=fix)
    return int(outputs)


def find_classifier(network: nn.Module) -> nn.Linear:
    """Return the last layer. Raises DataError when it is not one linear layer."""
    found = network.head.fc if isinstance(network, TinyViT) else getattr(network, "get_classifier", lambda: None)()
    if not isinstance(found, nn.Linear):
        fix = "use teacher.head: finetune, or another network"
        raise DataError("its head is not one linear layer, so it cannot be probed", where="teacher.head", fix=fix)
    return found


def reset_head(network: nn.Module) -> None:
    """Give the classifier new random weights, from torch's generator."""
    init_linear(find_classifier(network))


def _timm_name(network: Network) -> str:
    tiny = is_tiny_vit(network.arch)
    return TINY_TAG.format(arch=network.arch) if tiny else network.arch.removeprefix("timm/")


def _classifier_name(found: str | Sequence[str] | None) -> str:
    return found if isinstance(found, str) else next(iter(found or ()), "")


def _stored_outputs(file: Path, classifier: str) -> int:
    """Return the rows of the classifier's matrix in a .safetensors file, 0 where it is not there."""
    shape = stored_shapes(file).get(f"{classifier}.weight", ())
    return shape[0] if shape else 0
