"""The real jobs on a machine whose memory holds MOST images in training: preloaded by tests instead of engine.run."""

from __future__ import annotations

from torch import Tensor, nn

from engine import run
from engine.core.train.forward import Forward
from engine.launch import Order

MOST = 20
_forward = Forward.__call__


def main(order: Order) -> int:
    Forward.__call__ = _forward_few  # type: ignore[method-assign]
    return run.main(order)


def _forward_few(self: Forward, network: nn.Module, images: Tensor) -> Tensor:
    if network.training and len(images) > MOST:
        raise MemoryError(f"no room for {len(images)} images")
    return _forward(self, network, images)
