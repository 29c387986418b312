"""Micro-batches: takes a batch too large for memory, gives the gradient of the whole batch's loss piece by piece.

Which images are in a step, their order and the size of the step stay as they were. A loss that is a mean over images is
the weighted sum of its pieces; one that couples images (`dist` compares columns) gets two passes: all logits without
a graph, the loss and its gradient on them, then each piece again with that gradient put in (the gradient cache of Gao
et al. 2021, arXiv 2101.06983). Both passes draw the same dropout. Equal to the whole batch up to rounding.

Not kept by any such scheme: BatchNorm sees the images of a piece, and dropout and drop path draw other masks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

Logits = Callable[[slice], Tensor]
Loss = Callable[[Tensor, slice], Tensor]
Scale = Callable[[Tensor], Tensor]


def cut_batch(count: int, most: int | None, least: int = 1) -> list[slice]:
    """Return slices of `count` images, equal up to one, at most `most` each (None: all), none below `least`."""
    return cut_evenly(count, 1 if most is None else max(1, min(-(-count // most), count // least)))


def cut_evenly(count: int, pieces: int) -> list[slice]:
    """Return so many slices of `count` images, equal up to one."""
    edges = [count * piece // pieces for piece in range(pieces + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]


def as_it_is(loss: Tensor) -> Tensor:
    return loss


def sum_pieces(pieces: Sequence[slice], logits: Logits, loss: Loss, scale: Scale = as_it_is) -> Tensor:
    """Add the gradients of a loss that is a mean over images; return the loss of the whole batch, detached.

    `scale` gives what is differentiated in its place.
    """
    if len(pieces) == 1:
        whole = loss(logits(pieces[0]), pieces[0])
        scale(whole).backward()  # type: ignore[no-untyped-call]
        return whole.detach()
    count, parts = pieces[-1].stop, []
    for piece in pieces:
        part = loss(logits(piece), piece) * ((piece.stop - piece.start) / count)
        scale(part).backward()  # type: ignore[no-untyped-call]
        parts.append(part.detach())
    return torch.stack(parts).sum()


def couple_pieces(
    network: nn.Module, pieces: Sequence[slice], logits: Logits, loss: Loss, scale: Scale = as_it_is
) -> Tensor:
    """Add the gradients of any loss of the batch's logits, in two passes; return the loss, detached."""
    whole = slice(0, pieces[-1].stop)
    before = [buffer.clone() for buffer in network.buffers()]
    # The second pass has to draw the same masks, so the first gives its random numbers back.
    with torch.random.fork_rng(), torch.no_grad():
        answers = torch.cat([logits(piece) for piece in pieces])
    for buffer, value in zip(network.buffers(), before, strict=True):  # running statistics count each image once
        buffer.copy_(value)
    answers.requires_grad_()
    total = loss(answers, whole)
    (wanted,) = torch.autograd.grad(scale(total), answers)
    for piece in pieces:
        logits(piece).backward(wanted[piece])  # type: ignore[no-untyped-call]
    return total.detach()


def has_batch_norm(network: nn.Module) -> bool:
    """Return whether a training step computes statistics over its batch."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())


def draws_masks(network: nn.Module) -> bool:
    """Return whether a training step draws dropout or drop path."""
    return any(_drop_share(part) > 0 for part in network.modules())


def _drop_share(part: nn.Module) -> float:
    """The share that a layer drops: torch calls it `p`, timm `drop_prob`, our own layers `rate`."""
    if "drop" not in type(part).__name__.lower():
        return 0.0
    shares = (getattr(part, name, None) for name in ("p", "drop_prob", "rate"))
    return max((float(share) for share in shares if share is not None), default=0.0)
