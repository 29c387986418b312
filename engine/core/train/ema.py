"""The moving average of the weights: takes a network after each optimizer step, gives the weights that are evaluated.

As timm's ModelEmaV3 has it: floating buffers (BatchNorm's statistics) are averaged as parameters are, counters are
copied. Kept beside the network, on its device, in a few kernels a step and without a wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engine.spec import Train

POWER = 2 / 3  # of the warm-up: timm's, for trainings of many steps


class MovingAverage:
    """The average of one network's weights; `values` has each tensor of its state once, by its first name."""

    def __init__(self, network: nn.Module, decay: float, *, warms_up: bool) -> None:
        self.decay, self.warms_up = decay, warms_up
        self.live = _named_state(network)
        self.values = {name: value.detach().clone() for name, value in self.live.items()}
        floats = {name for name, value in self.values.items() if value.is_floating_point()}
        self._names = sorted(floats), sorted(self.values.keys() - floats)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the network's weights after optimizer step `step` (from 1)."""
        (averages, lives), (counts, live_counts) = (self._both(names) for names in self._names)
        if averages:
            torch._foreach_lerp_(averages, lives, weight=1.0 - decay_at(step, self.decay, warms_up=self.warms_up))
        if counts:
            torch._foreach_copy_(counts, live_counts)

    def _both(self, names: list[str]) -> tuple[list[Tensor], list[Tensor]]:
        return [self.values[name] for name in names], [self.live[name].detach() for name in names]

    @torch.no_grad()
    def restore(self, values: Mapping[str, Tensor]) -> None:
        """Take up the average of a checkpoint."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Let the network have the averaged weights inside; its own come back bit by bit."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def put(self) -> None:
        """Give the network the averaged weights for good."""
        for name, value in self.live.items():
            value.detach().copy_(self.values[name])

    @torch.no_grad()
    def _exchange(self) -> None:
        # In place: what was compiled or captured knows these tensors by their addresses.
        for names in self._names:
            averages, lives = self._both(names)
            if names:
                kept = [value.clone() for value in averages]
                torch._foreach_copy_(averages, lives)
                torch._foreach_copy_(lives, kept)


def decay_at(step: int, decay: float, *, warms_up: bool) -> float:
    """Return the share of the old average at optimizer step `step` (from 1): none at first, `decay` at last.

    With a warm-up 1 - (1 + s) ** (-2/3), s being the steps before this one: timm's ModelEmaV3, after K. Crowson.
    """
    before = max(0, step - 1)
    if before == 0:
        return 0.0
    return min(decay, 1.0 - (1.0 + before) ** -POWER) if warms_up else decay


def make_average(network: nn.Module, train: Train) -> MovingAverage | None:
    """Return the average that `train.ema` asks for."""
    return None if train.ema is None else MovingAverage(network, train.ema, warms_up=train.ema_warmup)


def _named_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and the buffers that are saved, each tensor once where layers share it."""
    found: dict[int, tuple[str, Tensor]] = {}
    for name, value in network.state_dict(keep_vars=True).items():
        found.setdefault(id(value), (name, value))
    return dict(found.values())
