"""The gradients of a batch that ranks share: takes each rank's logits, gives the gradients of the whole batch's loss.

Each rank gathers the logits of all, takes the loss of the whole batch, and puts the gradient at its own logits in: so
any loss is right, of uneven shares and of images that it compares too, and every rank knows the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from engine.core.data.share import Share
from engine.core.distill.encoding import Answers
from engine.core.train.micro_batch import Logits, Scale, as_it_is, cut_evenly
from engine.core.train.ranks.batch_wide import in_whole_batch
from engine.core.train.ranks.group import Ranks
from engine.core.train.wanted import Wanted

Loss = Callable[[Tensor, Wanted], Tensor]
Pieces = Sequence[Sequence[slice]]


def cut_shares(share: Share, count: int, most: int | None, least: int) -> list[list[slice]]:
    """Return the pieces of each rank's share of a batch of `count` images: as many for each, `most` images at most.

    Slices are of the rank's own images.
    """
    sizes = share.sizes(count)
    pieces = 1 if most is None else max(1, min(-(-max(sizes) // most), min(sizes) // least))
    return [cut_evenly(size, pieces) for size in sizes]


def add_gradients(
    ranks: Ranks, pieces: Pieces, logits: Logits, wanted: Wanted, loss: Loss, scale: Scale = as_it_is
) -> Tensor:
    """Add the gradients of a loss that is a mean over images, at this rank's own; return the loss of the batch.

    `pieces` are those of each rank; piece j of all ranks goes through at once. `wanted` is this rank's.
    """
    count, parts = sum(own[-1].stop for own in pieces), []
    for at, mine in enumerate(pieces[ranks.share.rank]):
        sizes = [own[at].stop - own[at].start for own in pieces]
        with in_whole_batch(ranks, sizes):
            answers = logits(mine)
        part, wish = _pull(ranks, answers, wanted[mine], sizes, loss, scale, sum(sizes) / count)
        answers.backward(wish)  # type: ignore[no-untyped-call]
        parts.append(part)
    return torch.stack(parts).sum()


def add_coupled(
    ranks: Ranks,
    network: nn.Module,
    pieces: Pieces,
    logits: Logits,
    wanted: Wanted,
    loss: Loss,
    scale: Scale = as_it_is,
) -> Tensor:
    """The same for any loss of the batch's logits, in two passes: as `couple_pieces` of micro_batch.py does."""

    def answer(at: int, piece: slice) -> Tensor:
        with in_whole_batch(ranks, [own[at].stop - own[at].start for own in pieces]):
            return logits(piece)

    mine, before = pieces[ranks.share.rank], [buffer.clone() for buffer in network.buffers()]
    with torch.random.fork_rng(), torch.no_grad():
        answers = torch.cat([answer(at, piece) for at, piece in enumerate(mine)])
    for buffer, value in zip(network.buffers(), before, strict=True):  # running statistics count each image once
        buffer.copy_(value)
    total, wish = _pull(ranks, answers, wanted, [own[-1].stop for own in pieces], loss, scale, 1.0)
    for at, piece in enumerate(mine):
        answer(at, piece).backward(wish[piece])  # type: ignore[no-untyped-call]
    return total


def _pull(
    ranks: Ranks, answers: Tensor, wanted: Wanted, sizes: Sequence[int], loss: Loss, scale: Scale, share: float
) -> tuple[Tensor, Tensor]:
    """Return a piece's part of the loss, and the gradient at this rank's logits of what is differentiated."""
    everyone = ranks.gather(answers, sizes).requires_grad_()
    part = loss(everyone, gather_wanted(ranks, wanted, sizes))
    part = part if share == 1.0 else part * share
    (wish,) = torch.autograd.grad(scale(part), everyone)
    before = sum(sizes[: ranks.share.rank])
    return part.detach(), wish[before : before + len(answers)]


def gather_wanted(ranks: Ranks, wanted: Wanted, sizes: Sequence[int]) -> Wanted:
    """Return what all ranks' images are trained towards."""
    labels, targets = ranks.gather(wanted.labels, sizes), wanted.targets
    if targets is None:
        return Wanted(labels, None)
    moments = None if targets.moments is None else ranks.gather(targets.moments, sizes)
    return Wanted(labels, Answers(ranks.gather(targets.logits, sizes), moments))


def sum_gradients(ranks: Ranks, parameters: Sequence[Tensor]) -> None:
    """Put the sum over ranks into the place of each gradient."""
    ranks.sum_all([value.grad for value in parameters if value.grad is not None])


def add_whole(ranks: Ranks, wanted: Wanted, logits: Logits, loss: Loss, scale: Scale = as_it_is) -> Tensor:
    """Add the gradients of a batch that each rank sees whole, as its share of their sum; return the loss."""
    everything = slice(0, len(wanted.labels))
    total = loss(logits(everything), wanted)
    scale(total / ranks.share.ranks).backward()  # type: ignore[no-untyped-call]
    return total.detach()
