"""What a person's own code must be: one Protocol for each kind, with shapes and units.

Each takes its words by position, in this order. Whoever adds a last parameter `options`, annotated with a pydantic
model, gets the options of the spec in it; else the spec may give none. B images, C classes, S pixels a side; W windows
of N tokens with D channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class OwnNetwork(Protocol):
    """A class (or function) that gives a module: images (B, 3, S, S), float, to logits (B, C).

    Pixels come normalised by the module's `mean` and `std` (three numbers each, of pixels from 0 to 1) where it has
    them, else by ImageNet's. Its parameters may depend on nothing but its words, options and torch's random numbers.
    """

    def __call__(self, num_classes: int, image_size: int) -> nn.Module: ...


class OwnLoss(Protocol):
    """A function: how far a student is from its teacher, a mean over the batch, in nats or whatever it is of.

    `student` and `teacher` are logits (B, C) in fp32, `labels` int64 (B,), `temperature` what the spec says. The answer
    is one number, (), which the student's logits have a gradient of; distill.weight multiplies it.
    """

    def __call__(self, student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor: ...


class OwnAttention(Protocol):
    """A class that gives a module for one block of a tiny_vit: tokens (W, N, D) to tokens of the same shape.

    A window has `window` x `window` = N tokens in raster order, `dim` = D channels, and the stage `heads` heads. Tokens
    come normalised by a layer norm; what is given is added to them. The module is called with (tokens, keep): `keep` is
    bool (W, N), false for padding that must be no key, or None where there is none.
    """

    def __call__(self, dim: int, heads: int, window: int) -> nn.Module: ...


class OwnSource(Protocol):
    """A function that gives images, each as (class, image): once for every plan, in any order, the same each time.

    An image is the bytes of a file (JPEG, PNG, WebP, ...), or an array of uint8, (height, width, 3) or (height, width).
    `root` is data.root as a path, None where the spec names none: whatever else the function reads is no part of any
    job's id.
    """

    def __call__(self, root: Path | None) -> Iterable[tuple[str, bytes | NDArray[np.uint8]]]: ...


class OwnOptimizer(Protocol):
    """A class (or function) that gives an optimizer of torch's: parameters that decay and those that do not, the rate.

    `groups` are two dicts at most, with `params` and `weight_decay`; `rate` is train.lr, and xp sets each group's `lr`
    at every step. A training goes on from its `state_dict`, to the same bits.
    """

    def __call__(self, groups: list[dict[str, Any]], rate: float) -> torch.optim.Optimizer: ...


class OwnCriterion(Protocol):
    """A function that says what makes a unit worth keeping: a score for each, and the lowest go first.

    `incoming` (U, n) and `outgoing` (U, m) are the weights that make each of U units, and those that read it. The
    answer is (U,). It is called without gradients.
    """

    def __call__(self, incoming: Tensor, outgoing: Tensor) -> Tensor: ...


class OwnAugmentation(Protocol):
    """A function that changes one view of an image, after its crop, flip, colours and erasing, and before mixing.

    `image` is uint8 (3, S, S) on the CPU, and may be written to; S is the size that this network looks at, so lengths
    are best shares of it. The answer is uint8 (3, S, S). All chance comes from `generator` (torch.rand((),
    generator=generator)), which begins at the same place whenever this view of this image is asked for, by whichever
    student or teacher. Several threads call it at once.
    """

    def __call__(self, image: Tensor, generator: torch.Generator) -> Tensor: ...


PROTOCOLS: dict[str, Any] = {
    "network": OwnNetwork,
    "loss": OwnLoss,
    "attention": OwnAttention,
    "source": OwnSource,
    "optimizer": OwnOptimizer,
    "criterion": OwnCriterion,
    "augmentation": OwnAugmentation,
}
