"""Mixing: takes a batch in the epoch's order, gives each pair of neighbours mixed (mixup) or pasted (CutMix).

The run's seed decides: draws belong to (seed, epoch, the pair's keys). Neighbours in the order are partners, so batches
of any even size hold the same pairs, and over an epoch partners are a perfect matching; an odd last image stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor

from engine.core.data.draws import draw_uniform
from engine.spec import Augment

# Pairs that are blended at a time: a host's cache holds one, and a device is asked less often.
HOST_PAIRS, DEVICE_PAIRS = 1, 32
Box = tuple[int, int, int, int]  # top, bottom, left, right


@dataclass(frozen=True)
class Mix:
    """`partner` int64 (B,): the place in the batch of what was mixed in; `share` fp32 (B,): what is left of the own."""

    partner: Tensor
    share: Tensor

    def labels(self, labels: Tensor, classes: int) -> Tensor:
        """Return fp32 (B, classes): the own label by its share, the partner's by the rest."""
        own = F.one_hot(labels, classes).float()
        share = self.share.to(labels.device, non_blocking=True)[:, None]
        return share * own + (1 - share) * own[self.partner.to(labels.device, non_blocking=True)]

    def targets(self, logits: Tensor) -> Tensor:
        """Return logits (B, C) whose softmax is the partners' mixed by share: the teacher's answer taken as linear."""
        share = self.share.to(logits.device, logits.dtype, non_blocking=True)[:, None]
        own = F.log_softmax(logits, dim=1)
        other = own[self.partner.to(logits.device, non_blocking=True)]
        # A share of 1 makes the other term log 0: it adds nothing.
        return torch.logaddexp(own + share.log(), other + (1 - share).log())


@dataclass(frozen=True)
class PairDraw:
    """What a pair drew: the share that is kept of each image, and the box that is swapped where it is pasted."""

    kept: float
    box: Box | None


def is_mixing(augment: Augment) -> bool:
    """Whether training batches are mixed."""
    return augment.mixup > 0 or augment.cutmix > 0


def mix_pairs(images: Tensor, keys: Sequence[str], seed: int, epoch: int, augment: Augment) -> tuple[Tensor, Mix]:
    """Mix each two neighbours of uint8 (B, 3, S, S) with each other; return the new images and who got what of whom.

    The share is drawn from Beta(a, a), a = augment.mixup or augment.cutmix; where both are set each pair draws which.
    """
    pairs = len(images) // 2
    drawn = draw_pairs(keys[: len(images)], seed, epoch, augment, images.shape[-1])
    # A copy, because a partner reads what the other was before.
    mixed = images.clone()
    # Two images of a pair side by side: (pairs, 2, 3, S, S), of one memory with the batch.
    own, new = (batch[: 2 * pairs].view(pairs, 2, *images.shape[1:]) for batch in (images, mixed))
    _blend_pairs(own, new, drawn)
    for place, draw in enumerate(drawn):
        if draw.box is not None:
            _paste_box(own[place], new[place], draw.box)
    return mixed, describe_mix(drawn, len(images), images.shape[-1])


def draw_pairs(keys: Sequence[str], seed: int, epoch: int, augment: Augment, size: int) -> list[PairDraw]:
    """Return what each two neighbours drew."""
    pairs = range(len(keys) // 2)
    return [_draw_pair(keys[2 * place] + keys[2 * place + 1], seed, epoch, augment, size) for place in pairs]


def describe_mix(drawn: Sequence[PairDraw], count: int, size: int) -> Mix:
    """Return who of `count` images of `size` pixels gets what of whom."""
    share = torch.ones(count)
    for place, draw in enumerate(drawn):
        share[2 * place : 2 * place + 2] = draw.kept if draw.box is None else 1 - _box_share(draw.box, size)
    return Mix(_partners(count), share)


def _draw_pair(keys: str, seed: int, epoch: int, augment: Augment, size: int) -> PairDraw:
    draws = draw_uniform(seed, epoch, keys, "mix", 0)
    paste = augment.cutmix > 0 and (augment.mixup == 0 or draws[0] < 0.5)
    strength = augment.cutmix if paste else augment.mixup
    # The inverse distribution function: one uniform number gives one share, whatever the batch.
    kept = float(betaincinv(strength, strength, draws[1]))
    return PairDraw(kept, _place_box(kept, draws[2:4], size) if paste else None)


def _place_box(kept: float, centre: Sequence[float], size: int) -> Box:
    """Return a box of area 1 - `kept` around a uniform centre, cut off at the edges."""
    half = math.sqrt(1 - kept) * size / 2
    spans = [(max(0, round(at * size - half)), min(size, round(at * size + half))) for at in centre]
    (top, bottom), (left, right) = spans
    return top, bottom, left, right


def _partners(count: int) -> Tensor:
    """Return each image's neighbour: places 1, 0, 3, 2 and so on; an odd last image is its own."""
    return (torch.arange(count) ^ 1).clamp(max=count - 1)


def _blend_pairs(own: Tensor, new: Tensor, drawn: Sequence[PairDraw]) -> None:
    """Write into `new` the pairs that are blended, some at a time; those that are pasted stay, by a share of 1."""
    kept = [draw.kept if draw.box is None else 1.0 for draw in drawn]
    shares = torch.tensor([(share, 1 - share) for share in kept]).view(-1, 2, 1, 1, 1, 1)
    shares = shares.to(own.device, non_blocking=True)
    step = HOST_PAIRS if own.device.type == "cpu" else DEVICE_PAIRS
    for first in range(0, len(drawn), step):
        some = slice(first, first + step)
        if min(kept[some]) < 1.0:
            levels, (mine, others) = own[some].float(), shares[some].unbind(1)
            new[some] = (levels * mine).add_(levels.flip(1).mul_(others)).round_().clamp_(0, 255).to(torch.uint8)


def _paste_box(own: Tensor, new: Tensor, box: Box) -> None:
    """Swap a box of the two images in `new`."""
    top, bottom, left, right = box
    for image, other in ((0, 1), (1, 0)):
        new[image, :, top:bottom, left:right] = own[other, :, top:bottom, left:right]


def _box_share(box: Box, size: int) -> float:
    top, bottom, left, right = box
    return (bottom - top) * (right - left) / size**2
