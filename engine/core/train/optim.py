"""Optimizer and schedule: takes a network and `train:` of a spec, gives the optimizer and the rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine.spec import Train
from engine.spec.training import OptimizerWords


@dataclass(frozen=True, kw_only=True)
class Optimizer(OptimizerWords):
    """What a spec's word stands for: one of torch's optimizers, and the constants that no spec sets."""

    make: Callable[..., torch.optim.Optimizer]
    constants: Mapping[str, Any]


def build_optimizer(network: nn.Module, train: Train) -> torch.optim.Optimizer:
    """Return the optimizer of `train` with two groups: parameters that decay and those that do not."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in _trainable(network):
        (decayed if is_decayed(name, parameter) else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": train.weight_decay}, {"params": free, "weight_decay": 0.0}]
    chosen = OPTIMIZERS[train.optimizer]
    return chosen.make([group for group in groups if group["params"]], lr=train.lr, **chosen.constants)


def is_decayed(name: str, parameter: torch.Tensor) -> bool:
    """Return whether weight decay applies: not to vectors (norms, scales), biases and attention bias tables.

    A bias table of an attention is a matrix (heads, offsets), so its name decides and not its shape.
    """
    return parameter.ndim > 1 and "bias" not in name.rsplit(".", 1)[-1]


def learning_rate(step: int, steps_per_epoch: int, train: Train) -> float:
    """Return the rate of optimizer step `step` (from 0): linear warm-up to `lr`, then a cosine to `min_lr`.

    The first step already moves (its rate is lr / warm-up steps), and `lr` is reached by the last warm-up step. The
    rate is never scaled with the batch size. The cosine is that of Loshchilov and Hutter, arXiv 1608.03983, eq. 5.
    """
    warm_steps = train.warmup_epochs * steps_per_epoch
    if step < warm_steps:
        return train.lr * (step + 1) / warm_steps
    rest = max(1, train.epochs * steps_per_epoch - warm_steps)
    share = min(1.0, (step - warm_steps) / rest)
    # After pruning `lr` may lie below `min_lr`.
    low = min(train.min_lr, train.lr)
    return low + 0.5 * (train.lr - low) * (1.0 + math.cos(math.pi * share))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def recovery(train: Train, epochs: int, lr: float | None) -> Train:
    """Return `train` for the epochs after pruning: a tenth of the rate unless told, and a warm-up of one at most."""
    rate = lr if lr is not None else 0.1 * train.lr
    # An epoch at least is left for the cosine.
    warm = min(train.warmup_epochs, 1, max(0, epochs - 1))
    return train.model_copy(update={"epochs": epochs, "lr": rate, "warmup_epochs": warm})


def _trainable(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad)


# A fused update is one call for all parameters: on small networks the calls cost more than the arithmetic.
OPTIMIZERS: dict[str, Optimizer] = {
    "adamw": Optimizer(
        make=torch.optim.AdamW, constants={"betas": (0.9, 0.999), "eps": 1e-8, "fused": True}, largest_rate=1.0
    ),
    "sgd": Optimizer(
        make=torch.optim.SGD, constants={"momentum": 0.9, "nesterov": True, "fused": True}, largest_rate=10.0
    ),
}
