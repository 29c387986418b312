"""A network that has some images of a batch: takes its calls, answers those that concern all images of the batch.

Batch norm gets statistics over all ranks' images, forward and backward (Ioffe and Szegedy 2015, arXiv 1502.03167, eqs.
of section 3, with sums over ranks). Dropout and drop path draw their masks for the whole batch, of which each rank
takes the rows of its own images: so the masks are those of one process, and all generators stay alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules._functions import SyncBatchNorm
from torch.overrides import TorchFunctionMode

from engine.core.train.checkpoint import capture_random
from engine.core.train.ranks.group import Ranks
from engine.errors import JobError

TRIED_IMAGES = 2
ONE_RANK = "train it in one process: resources.gpus: 1, or resources.ranks: 1 on the CPU"


@dataclass(frozen=True)
class Place:
    """Where a rank's images lie among those that go through the network at once: how many are before, and of all."""

    before: int
    count: int
    all: int


class BatchWide(TorchFunctionMode):
    """Within this, calls of a network that is trained are answered for the batch of which a rank has `place`."""

    def __init__(self, ranks: Ranks, place: Place) -> None:
        super().__init__()
        self.ranks, self.place = ranks, place

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        answer = ANSWERS.get(func)
        return func(*args, **(kwargs or {})) if answer is None else answer(self, *args, **(kwargs or {}))

    def norm(
        self, x: Tensor, mean: Tensor | None, var: Tensor | None, weight: Tensor | None = None,
        bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
    ) -> Tensor:  # fmt: skip
        if not training:
            return F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)
        if self.ranks.has_nccl and x.device.type == "cuda":
            world = torch.distributed.group.WORLD
            found: Tensor = SyncBatchNorm.apply(
                x, weight, bias, mean, var, eps, momentum, world, self.ranks.share.ranks
            )
            return found
        y, batch_mean, batch_var, count = _Norm.apply(x, weight, bias, eps, self.ranks)
        with torch.no_grad():
            if mean is not None and var is not None:
                mean.mul_(1 - momentum).add_(batch_mean, alpha=momentum)
                # Unbiased in the running one, as everywhere.
                var.mul_(1 - momentum).add_(batch_var * (count / (count - 1)), alpha=momentum)
        return y  # type: ignore[no-any-return]

    def dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0.0:
            return x
        kept = F.dropout(x.new_ones(self._whole(x)), p)[self._rows(x)]
        return x.mul_(kept) if inplace else x * kept

    def bernoulli(self, x: Tensor, *words: Any, **named: Any) -> Tensor:
        return x.copy_(x.new_empty(self._whole(x)).bernoulli_(*words, **named)[self._rows(x)])

    def _each(self, x: Tensor) -> int:
        """Return how many rows of `x` each image has: windows stand one after the other."""
        if x.ndim == 0 or len(x) % self.place.count:
            what = f"random numbers of shape {tuple(x.shape)} belong to no image of a batch of {self.place.count}"
            raise JobError(f"{what}, so ranks cannot draw them as one process would", where="resources", fix=ONE_RANK)
        return len(x) // self.place.count

    def _whole(self, x: Tensor) -> tuple[int, ...]:
        return (self._each(x) * self.place.all, *x.shape[1:])

    def _rows(self, x: Tensor) -> slice:
        first = self._each(x) * self.place.before
        return slice(first, first + len(x))


class _Trial(BatchWide):
    """The same for a pass that is to draw nothing at all, and asks no other rank."""

    def norm(self, x: Tensor, mean: Tensor | None, var: Tensor | None, *words: Any, **named: Any) -> Tensor:
        return x

    def dropout(self, x: Tensor, *words: Any, **named: Any) -> Tensor:
        return x

    def bernoulli(self, x: Tensor, *words: Any, **named: Any) -> Tensor:
        return x.fill_(1.0)


Answer = Callable[..., Tensor]
ANSWERS: dict[Any, Answer] = {
    F.batch_norm: lambda wide, *args, **kwargs: wide.norm(*args, **kwargs),
    F.dropout: lambda wide, *args, **kwargs: wide.dropout(*args, **kwargs),
    torch.Tensor.bernoulli_: lambda wide, *args, **kwargs: wide.bernoulli(*args, **kwargs),
}


def require_known_draws(network: nn.Module, run: Callable[[Tensor], Tensor], size: int, ranks: Ranks) -> None:
    """Raise JobError where a training step draws random numbers otherwise than as a mask for rows of images.

    `run` is the forward pass; a blank one is made of TRIED_IMAGES of `size` pixels, and leaves no trace.
    """
    before, was_training = capture_random(), network.training
    buffers = [buffer.clone() for buffer in network.buffers()]
    blank = torch.zeros((TRIED_IMAGES, 3, size, size), dtype=torch.uint8)
    with _Trial(ranks, Place(0, TRIED_IMAGES, TRIED_IMAGES)), torch.no_grad():
        network.train()
        run(blank)
        for buffer, value in zip(network.buffers(), buffers, strict=True):
            buffer.copy_(value)
    network.train(was_training)
    if not _is_same(before, capture_random()):
        what = "this network draws random numbers that ranks cannot draw as one process would"
        raise JobError(what, where="resources", fix=ONE_RANK)


def _is_same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    pairs = [(before["torch"], after["torch"]), *zip(before["cuda"], after["cuda"], strict=True)]
    words = (before["python"], before["numpy"]) == (after["python"], after["numpy"])
    return words and all(torch.equal(old, new) for old, new in pairs)


@contextmanager
def in_whole_batch(ranks: Ranks, sizes: Sequence[int]) -> Iterator[None]:
    """Let a network answer for its rows of the rows of all ranks, of which rank r has `sizes[r]`."""
    rank = ranks.share.rank
    with BatchWide(ranks, Place(sum(sizes[:rank]), sizes[rank], sum(sizes))):
        yield


class _Norm(torch.autograd.Function):
    """Batch norm over all ranks' images: x (B, C, ...) to y, with the mean and variance that it was taken by."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, ranks: Ranks
    ) -> tuple[Tensor, Tensor, Tensor, float]:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        mean, var, count = _find_moments(x.detach(), axes, ranks)
        spread = torch.rsqrt(var + eps)
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        # In fp32, whatever x is in.
        normed = (x.float() - mean.float().view(shape)) * spread.float().view(shape)
        ctx.save_for_backward(normed, spread.float(), weight)
        ctx.axes, ctx.shape, ctx.count, ctx.ranks, ctx.kind = axes, shape, count, ranks, x.dtype
        y = normed if weight is None else normed * weight.view(shape)
        y = y if bias is None else y + bias.view(shape)
        ctx.mark_non_differentiable(found := mean.float(), spread_out := var.float())
        return y.to(x.dtype), found, spread_out, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        normed, spread, weight = ctx.saved_tensors
        grad = grad.float()
        # In doubles, as they are sums over all images.
        shift = grad.sum(ctx.axes, dtype=torch.float64)
        gain = (grad * normed).sum(ctx.axes, dtype=torch.float64)
        both = torch.stack([shift, gain])
        ctx.ranks.sum(both)
        means = (both / ctx.count).float()
        factor = spread if weight is None else spread * weight
        inner = grad - means[0].view(ctx.shape) - normed * means[1].view(ctx.shape)
        grad_x = (inner * factor.view(ctx.shape)).to(ctx.kind)
        # Of this rank's images alone: gradients of weights are summed over ranks with all others.
        is_affine = weight is not None
        return grad_x, gain.float() if is_affine else None, shift.float() if is_affine else None, None, None


def _find_moments(x: Tensor, axes: list[int], ranks: Ranks) -> tuple[Tensor, Tensor, float]:
    """Return mean and biased variance (C,), in doubles, over all ranks' images, and how many numbers they are of.

    By the moments of each rank's part (Chan et al. 1979), so that nothing cancels.
    """
    count = x.numel() // x.shape[1]
    mean = x.sum(axes, dtype=torch.float64) / count
    shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
    square = (x.float() - mean.float().view(shape)).square().sum(axes, dtype=torch.float64)
    # About the rounded mean, put right for the real one.
    square -= count * (mean - mean.float().double()).square()
    told = torch.stack([mean, square, torch.full_like(mean, count)])[None]
    means, squares, counts = ranks.gather(told, [1] * ranks.share.ranks).unbind(1)
    total = counts.sum(0)
    whole = (counts * means).sum(0) / total
    inner = squares.sum(0) + (counts * (means - whole).square()).sum(0)
    return whole, inner / total, float(total[0])
