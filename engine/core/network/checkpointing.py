"""Lean networks of timm: takes a network, lets its blocks keep their inputs alone and be done again in backward.

The same values, gradients, masks and running statistics, for more time: timm's own switch where a network has one,
else torch's checkpoint around each block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from engine.errors import JobError

LISTS = (nn.Sequential, nn.ModuleList)


def make_lean(network: nn.Module, name: str) -> None:
    """Let `network` recompute its blocks. Raises JobError where it has none that could be done again."""
    if not _switch_on(network) and not _wrap_blocks(network):
        fix = "set train.memory: standard, and a smaller train.batch_size if memory is short"
        raise JobError("memory: lean cannot be done here: it has no row of blocks", where=f"timm/{name}", fix=fix)
    for part in network.modules():
        if isinstance(part, _BatchNorm) and part.track_running_stats:
            _Still(part)


def _switch_on(network: nn.Module) -> bool:
    """Use timm's own switch, which knows the blocks; return whether it has one. Some have one that only refuses."""
    try:
        network.set_grad_checkpointing(True)  # type: ignore[operator]
    except (AttributeError, AssertionError, NotImplementedError):
        return False
    return True


def _wrap_blocks(network: nn.Module) -> bool:
    blocks = list(_blocks_in(network))
    for block in blocks:
        for part in block.modules():
            # What is done again has to find its input as it was; out of place the values are the same.
            if getattr(part, "inplace", False):
                setattr(part, "inplace", False)  # noqa: B010  # a plain flag, which torch's types do not know
        block.forward = _Again(block.forward)
    return len(blocks) > 1


def _blocks_in(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the outermost layers that stand in a row and have layers of their own."""
    for child in module.children():
        if isinstance(child, LISTS):
            yield from _row(child)
        else:
            yield from _blocks_in(child)


def _row(layers: nn.Module) -> Iterator[nn.Module]:
    for layer in layers.children():
        if isinstance(layer, nn.ModuleList):
            yield from _row(layer)
        elif any(True for _ in layer.children()):
            yield layer


class _Again:
    """A block's forward, done again in backward while it is trained."""

    def __init__(self, forward: Any) -> None:
        self.forward = forward

    def __call__(self, *inputs: Any, **words: Any) -> Any:
        if not torch.is_grad_enabled():
            return self.forward(*inputs, **words)
        return checkpoint(self._run, *inputs, use_reentrant=False, **words)

    def _run(self, *inputs: Any, **words: Any) -> Any:
        # A copy of each list: some blocks put their branches' answers into the one they are given.
        return self.forward(*(list(value) if isinstance(value, list) else value for value in inputs), **words)


class _Still:
    """Keeps a norm's running statistics as they are while its block is done again, which backward does."""

    def __init__(self, norm: _BatchNorm) -> None:
        self.momentum, self.is_held = norm.momentum, False
        norm.register_forward_pre_hook(self.hold)
        # Also where torch ends the block early, having what it came for.
        norm.register_forward_hook(self.release, always_call=True)

    def hold(self, norm: _BatchNorm, _: Any) -> None:
        self.is_held = norm.training and torch._C._current_graph_task_id() != -1
        if self.is_held:
            # Not without them: backward wants as many saved tensors as before.
            self.counter = norm._buffers["num_batches_tracked"]
            norm.momentum, norm._buffers["num_batches_tracked"] = 0.0, None

    def release(self, norm: _BatchNorm, *_: Any) -> None:
        if self.is_held:
            norm.momentum, norm._buffers["num_batches_tracked"] = self.momentum, self.counter
            self.is_held = False
