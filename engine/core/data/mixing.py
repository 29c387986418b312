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


@dataclass(frozen=True)
class Mix:
    """`partner` int64 (B,): the place in the batch of what was mixed in; `share` fp32 (B,): what is left of the own."""

    partner: Tensor
    share: Tensor

    def labels(self, labels: Tensor, classes: int) -> Tensor:
        """Return fp32 (B, classes): the own label by its share, the partner's by the rest."""
        own = F.one_hot(labels, classes).float()
        share = self.share.to(labels.device)[:, None]
        return share * own + (1 - share) * own[self.partner.to(labels.device)]

    def targets(self, logits: Tensor) -> Tensor:
        """Return logits (B, C) whose softmax is the partners' mixed by share: the teacher's answer taken as linear."""
        share = self.share.to(logits.device, logits.dtype)[:, None]
        own = F.log_softmax(logits, dim=1)
        other = own[self.partner.to(logits.device)]
        # A share of 1 makes the other term log 0: it adds nothing.
        return torch.logaddexp(own + share.log(), other + (1 - share).log())


def is_mixing(augment: Augment) -> bool:
    """Whether training batches are mixed."""
    return augment.mixup > 0 or augment.cutmix > 0


def mix_pairs(images: Tensor, keys: Sequence[str], seed: int, epoch: int, augment: Augment) -> tuple[Tensor, Mix]:
    """Mix each two neighbours of uint8 (B, 3, S, S) with each other; return the new images and who got what of whom.

    The share is drawn from Beta(a, a), a = augment.mixup or augment.cutmix; where both are set each pair draws which.
    """
    partner, share = torch.arange(len(images)), torch.ones(len(images))
    # A copy, because a partner reads what the other was before.
    mixed = images.clone()
    for first in range(0, len(images) - 1, 2):
        pair = slice(first, first + 2)
        draws = draw_uniform(seed, epoch, keys[first] + keys[first + 1], "mix", 0)
        paste = augment.cutmix > 0 and (augment.mixup == 0 or draws[0] < 0.5)
        strength = augment.cutmix if paste else augment.mixup
        # The inverse distribution function: one uniform number gives one share, whatever the batch.
        kept = float(betaincinv(strength, strength, draws[1]))
        if paste:
            kept = _paste_box(mixed[pair], images[pair], kept, draws)
        else:
            mixed[pair] = _blend_pair(images[pair], kept)
        partner[pair] = torch.tensor([first + 1, first])
        share[pair] = kept
    return mixed, Mix(partner, share)


def _blend_pair(images: Tensor, kept: float) -> Tensor:
    levels = images.float()
    return (levels * kept + levels.flip(0) * (1 - kept)).round_().clamp_(0, 255).to(torch.uint8)


def _paste_box(mixed: Tensor, images: Tensor, kept: float, draws: Sequence[float]) -> float:
    """Swap a box of area 1 - `kept` around a uniform centre; return the share that is kept, edges cut off."""
    size = images.shape[-1]
    half = math.sqrt(1 - kept) * size / 2
    spans = [(max(0, round(draw * size - half)), min(size, round(draw * size + half))) for draw in draws[2:4]]
    (top, bottom), (left, right) = spans
    mixed[:, :, top:bottom, left:right] = images.flip(0)[:, :, top:bottom, left:right]
    return 1 - (bottom - top) * (right - left) / size**2
