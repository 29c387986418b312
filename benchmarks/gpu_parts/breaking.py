"""`engine.run` whose third step breaks the device: takes an attempt's order, gives its exit status.

An index that is out of bounds asserts on a GPU, after which nothing works in that process.
"""

from __future__ import annotations

import os
from unittest.mock import patch

import torch

from engine import run
from engine.core.train.loop import Loop
from engine.launch import Order
from engine.run import prepare

__all__ = ["main", "prepare"]
STEP = 3


def main(order: Order) -> int:
    """Do one attempt of one job as far as it comes."""
    step = Loop._step

    def broken(loop: Loop) -> None:
        step(loop)
        if loop.progress.step == STEP:
            break_device(loop.recipe.forward.device)

    with patch.object(Loop, "_step", broken):
        return run.main(order)


def break_device(device: torch.device) -> None:
    if device.type == "cpu":
        os.abort()  # the nearest thing that a CPU has
    torch.zeros(4, device=device)[torch.tensor([99], device=device)].sum().item()
