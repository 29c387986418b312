"""Schedules: takes an optimizer step and `train:` of a spec, gives the learning rate of the step.

The rate is a function of the step alone, so that there is nothing to save: cosine and wsd are ours, the others are
timm's schedulers, asked for one step each. Steps are those of the optimizer, each of which may hold several batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from timm.scheduler import MultiStepLRScheduler, PolyLRScheduler, StepLRScheduler, TanhLRScheduler
from timm.scheduler.scheduler import Scheduler

from engine.spec import Train
from engine.spec.training import DECAY_EPOCHS, DECAY_SHARE

# Of DeepLab (Chen et al. 2016, arXiv 1606.00915); of He et al. 2015 (arXiv 1512.03385).
POWER, DECAY_RATE = 0.9, 0.1
Curve = Callable[[int], float]


def learning_rate(step: int, steps_per_epoch: int, train: Train) -> float:
    """Return the rate of optimizer step `step` (from 0): linear warm-up to `lr`, then the schedule, from there on.

    The first step already moves (its rate is lr / warm-up steps), and `lr` is reached by the last warm-up step. The
    rate is never scaled with the batch size, and never below `min_lr` (or `lr`, where that is lower).
    """
    warm_steps = train.warmup_epochs * steps_per_epoch
    if step < warm_steps:
        return train.lr * (step + 1) / warm_steps
    rest = max(1, train.epochs * steps_per_epoch - warm_steps)
    # After pruning `lr` may lie below `min_lr`.
    low = min(train.min_lr, train.lr)
    if train.schedule == "cosine":
        return _cosine(min(1.0, (step - warm_steps) / rest), train.lr, low)
    if train.schedule == "wsd":
        return _stable_decay(step - warm_steps, rest, decay_steps(train, steps_per_epoch), train.lr, low)
    return max(low, _timm_curve(train.model_dump_json(), rest, steps_per_epoch, low)(step - warm_steps))


def _cosine(share: float, high: float, low: float) -> float:
    """Loshchilov and Hutter, arXiv 1608.03983, eq. 5, over one period."""
    return low + 0.5 * (high - low) * (1.0 + math.cos(math.pi * share))


def _stable_decay(step: int, rest: int, decay: int, high: float, low: float) -> float:
    """Hu et al. 2024 (MiniCPM, arXiv 2404.06395), section 4.2: warm-up, stable, decay.

    The decay is the straight line of Haegele et al. 2024 (arXiv 2405.18392). Where the warm-up leaves less room, it
    takes what there is.
    """
    decay = min(decay, rest)
    share = min(1.0, max(0.0, (step - (rest - decay)) / decay))
    return high + (low - high) * share


def decay_steps(train: Train, steps_per_epoch: int) -> int:
    """Return in how many steps at the end of schedule wsd the rate falls, one at least."""
    if isinstance(train.decay_epochs, int):
        return train.decay_epochs * steps_per_epoch
    return max(1, round((train.decay_share or DECAY_SHARE) * train.epochs * steps_per_epoch))


@lru_cache(8)
def _timm_curve(words: str, rest: int, steps_per_epoch: int, low: float) -> Curve:
    """Return the rate by steps after the warm-up, of which there are `rest`; `words` are `train:` as JSON."""
    train = Train.model_validate_json(words)
    carrier = torch.optim.SGD([torch.zeros(1)], lr=train.lr)
    scheduler = _make_scheduler(carrier, train, rest, steps_per_epoch, low)

    def rate(step: int) -> float:
        scheduler.step_update(step)
        return float(carrier.param_groups[0]["lr"])

    return rate


def _make_scheduler(
    carrier: torch.optim.Optimizer, train: Train, rest: int, steps_per_epoch: int, low: float
) -> Scheduler:
    """Return timm's scheduler, which counts steps. `decay_epochs` are those of the training, its warm-up among them."""
    power = {"linear": 1.0, "poly": train.power or POWER}.get(train.schedule)
    if power is not None:
        return PolyLRScheduler(carrier, t_initial=rest, power=power, lr_min=low, t_in_epochs=False)
    if train.schedule == "tanh":
        return TanhLRScheduler(carrier, t_initial=rest, lr_min=low, t_in_epochs=False)
    if train.schedule == "constant":
        return StepLRScheduler(carrier, decay_t=rest, decay_rate=1.0, t_in_epochs=False)
    every, warm = train.decay_epochs or DECAY_EPOCHS, train.warmup_epochs
    epochs = every if isinstance(every, list) else range(every, train.epochs, every)
    # timm's milestones take effect one step before their number.
    places = [(epoch - warm) * steps_per_epoch + 1 for epoch in epochs]
    rate = train.decay_rate or DECAY_RATE
    return MultiStepLRScheduler(carrier, decay_t=places, decay_rate=rate, t_in_epochs=False)
