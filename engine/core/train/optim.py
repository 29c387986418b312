"""Optimizers: takes a network and `train:` of a spec, gives the optimizer, ours or one of timm's factory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from torch import nn

from engine.core.own_code.loading import call_own
from engine.errors import JobError
from engine.spec import Train
from engine.spec.optimizers import OptimizerWords
from engine.spec.own_code import names_code

Group = dict[str, Any]


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
    groups = [group for group in groups if group["params"]]
    if names_code(train.optimizer):
        own: torch.optim.Optimizer = call_own(train.optimizer, {}, groups, train.lr)
        return own
    chosen, given = OPTIMIZERS.get(train.optimizer), _given_options(train)
    if chosen is None:
        return _timm_optimizer(groups, train, given)
    return chosen.make(groups, lr=train.lr, **{**chosen.constants, **given})


def _given_options(train: Train) -> dict[str, Any]:
    """Return what a spec sets of an optimizer's own constants."""
    options = {"betas": train.betas and tuple(train.betas), "momentum": train.momentum, "eps": train.eps}
    return {name: value for name, value in options.items() if value is not None}


def _timm_optimizer(groups: list[Group], train: Train, given: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return one of timm's factory, at its defaults but for what a spec gives. Raises JobError where timm refuses."""
    if "muon" in train.optimizer:
        # What Muon cannot take goes to AdamW, and so do tables of biases, matrices by their shape alone.
        groups = [group if group["weight_decay"] else {**group, "use_fallback": True} for group in groups]
    try:
        return create_optimizer_v2(groups, opt=train.optimizer, lr=train.lr, **given)
    except (ValueError, TypeError, AssertionError) as error:
        fix = "change its betas, momentum or eps, or choose another one; timm of another version may lack it"
        raise JobError(f"timm cannot make {train.optimizer}: {error}", where="train.optimizer", fix=fix) from error


def is_decayed(name: str, parameter: torch.Tensor) -> bool:
    """Return whether weight decay applies: not to vectors (norms, scales), biases and attention bias tables.

    A bias table of an attention is a matrix (heads, offsets), so its name decides and not its shape.
    """
    return parameter.ndim > 1 and "bias" not in name.rsplit(".", 1)[-1]


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
        make=torch.optim.AdamW,
        constants={"betas": (0.9, 0.999), "eps": 1e-8, "fused": True},
        largest_rate=1.0,
        betas=2,
        has_eps=True,
    ),
    "sgd": Optimizer(
        make=torch.optim.SGD,
        constants={"momentum": 0.9, "nesterov": True, "fused": True},
        largest_rate=10.0,
        has_momentum=True,
    ),
}
