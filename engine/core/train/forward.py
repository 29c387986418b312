"""The forward pass: takes uint8 images, gives fp32 logits, with one place for device, precision and normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.core.data.kernels.ready import can_look_up
from engine.core.data.normalize import normalize
from engine.core.train.halves import cast_weights, pays_off

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which bf16 and fp16 work runs; fp32 and tf32 run as they are."""
    return torch.autocast(device.type, HALVES.get(precision, torch.bfloat16), enabled=precision in HALVES)


@dataclass(frozen=True)
class Forward:
    """How images enter a network: on `device`, with its own mean and std, under autocast or in fp32."""

    device: torch.device
    precision: str
    mean: Sequence[float]
    std: Sequence[float]

    def __post_init__(self) -> None:
        can_look_up(self.device)  # tried now, as that waits for the device

    def __call__(self, network: nn.Module, images: Tensor) -> Tensor:
        """Take uint8 images (B, 3, S, S) on any device, return fp32 logits (B, classes) on ours."""
        inputs = self.prepare(images)
        with autocast(self.device, self.precision):
            logits = self.run(network, inputs)
        # Softmax and losses are taken in fp32: bf16 keeps two to three digits.
        return logits.float()

    def run(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Return the logits of prepared images as the network gives them."""
        with self._weights_of(network):
            logits: Tensor = network(inputs)
        return logits

    def _weights_of(self, network: nn.Module) -> AbstractContextManager[None]:
        """Return the context in which a step casts its weights at once, where autocast would cast each."""
        is_half = self.precision in HALVES and torch.is_grad_enabled()
        return (
            cast_weights(network, HALVES[self.precision])
            if is_half and pays_off(network, self.device)
            else nullcontext()
        )

    def prepare(self, images: Tensor) -> Tensor:
        """Return the images as the network wants them: fp32 (B, 3, S, S) of its own mean and std, on our device."""
        # From pinned memory the copy runs beside what the device is doing.
        return normalize(images.to(self.device, non_blocking=True), self.mean, self.std)
