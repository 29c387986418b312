"""How much of a device a training takes: takes a network and its batch, gives bytes, by a step that leaves no trace."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from engine.core.train.checkpoint import capture_random, restore_random
from engine.core.train.forward import Forward

# Copies of a weight in fp32 that come after the first step: two averages of the optimizer, one of the weights.
COPIES = 3
BATCHES = 8  # of bytes, in the making and waiting
# What libraries take beside torch, and gaps between its blocks.
RESERVE_BYTES, RESERVE_SHARE = 1 << 29, 0.05


def training_bytes(
    network: nn.Module, forward: Forward, images: int, size: int, beside: Callable[[], object] | None = None
) -> int:
    """Return what a training of `images` at once, of `size` pixels, will take of the GPU beyond what is taken now.

    `beside` is what is done on the GPU before each step: an online teacher's answer.
    """
    weights = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    batch = images * 3 * size * size
    return step_bytes(network, forward, images, size, beside) + 4 * COPIES * weights + BATCHES * batch


def step_bytes(
    network: nn.Module, forward: Forward, images: int, size: int, beside: Callable[[], object] | None = None
) -> int:
    """Return the peak of one forward and backward pass in bytes, libraries' workspaces included.

    Running averages and generators are as before; no gradient is left.
    """
    device, random, was_training = forward.device, capture_random(), network.training
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved(device)
    torch.cuda.reset_peak_memory_stats(device)
    try:
        if beside is not None:
            beside()
        blank = torch.zeros((images, 3, size, size), dtype=torch.uint8, device=device)
        forward(network.train(), blank).sum().backward()  # type: ignore[no-untyped-call]
        return torch.cuda.max_memory_reserved(device) - before
    finally:
        network.train(was_training).zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, buffer in network.named_buffers():
                buffer.copy_(buffers[name])
        restore_random(random)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def free_bytes(device: torch.device) -> int:
    """Return what is free on a GPU, without the reserve."""
    free, total = torch.cuda.mem_get_info(device)
    return max(0, free - RESERVE_BYTES - round(RESERVE_SHARE * total))
