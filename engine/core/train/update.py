"""From gradients to weights: takes the loss of each batch and the gradients of a group, gives one optimizer step.

In fp16 losses are scaled, so that small gradients do not vanish, and a step whose gradients overflowed is left out, by
torch's GradScaler. With a fused optimizer the device decides that alone, and the host waits for nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.core.train.checkpoint import State
from engine.core.train.optim import build_optimizer, set_rate
from engine.spec import Train

# Halved at each overflow from 2 ** 16: so small a scale has seen 40 overflows more than it has recovered from.
LEAST_SCALE = 2.0**-24


class Update:
    """The optimizer of a network with what surrounds it: scaling, clipping, the rate."""

    def __init__(
        self, network: nn.Module, train: Train, device: torch.device, precision: str, beside: nn.Module | None = None
    ) -> None:
        """`beside` is trained with the network and is no part of it: its gradients are clipped by themselves."""
        self.optimizer = build_optimizer(network if beside is None else nn.ModuleList([network, beside]), train)
        self.clip_grad = train.clip_grad
        self.parameters = [value for value in network.parameters() if value.requires_grad]
        self.beside = [] if beside is None else list(beside.parameters())
        self.scaler = torch.amp.GradScaler(device.type) if precision == "fp16" else None

    def begin(self) -> None:
        """Begin a group of batches without gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def scale(self, loss: Tensor) -> Tensor:
        """Return what is to be differentiated in the place of a loss."""
        return loss if self.scaler is None else self.scaler.scale(loss)

    def step(self, rate: float) -> None:
        """Do one optimizer step at this rate, with the gradients that were added up."""
        set_rate(self.optimizer, rate)
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        if self.clip_grad is not None:
            for parameters in filter(None, (self.parameters, self.beside)):
                nn.utils.clip_grad_norm_(parameters, self.clip_grad)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()

    @property
    def is_lost(self) -> bool:
        """Whether the scale has fallen so low that no step is done any more. Waits for the device."""
        return self.scaler is not None and self.scaler.get_scale() < LEAST_SCALE

    def capture(self) -> State:
        """Return what a checkpoint needs; the scale is there in fp16 only."""
        scale = {} if self.scaler is None else {"scaler": self.scaler.state_dict()}
        return {"optimizer": self.optimizer.state_dict(), **scale}

    def restore(self, state: State) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler is not None and "scaler" in state:
            self.scaler.load_state_dict(state["scaler"])
