"""Whether a training is worth keeping: takes a loss and a network, raises Diverged where a number is not finite."""

from __future__ import annotations

import math

import torch
from torch import nn


class Diverged(Exception):
    """A loss or a weight is NaN or infinite; the checkpoints hold the last good state."""


def require_finite_loss(loss_sum: float) -> None:
    if not math.isfinite(loss_sum):
        raise Diverged("the training loss is not finite")


def require_finite(network: nn.Module, loss_sum: float) -> None:
    """Raise Diverged when the loss or any weight is NaN or infinite: a finite loss can still leave bad weights."""
    require_finite_loss(loss_sum)
    floats = [value for value in network.state_dict().values() if value.is_floating_point()]
    # One answer for all weights: each question to a GPU waits for it.
    if not bool(torch.stack([torch.isfinite(value).all() for value in floats]).all()):
        raise Diverged("a weight is not finite")
