"""Whether a file answers as its network does: takes both and images, gives agreement and the largest difference.

A file that fails is looked into: the first of its layers that differs is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.core.export.forms import Opened, Values, Written

# Of fp32 forms: sums in another order move a logit of size 1 by some 1e-6.
LARGEST = 1e-4
LEAST_AGREED = 0.995
Answer = Callable[[Tensor], Tensor]
MOST_LOOKED = 4  # images with which a failed file is looked into


@dataclass(frozen=True)
class Parity:
    """Of `images` images: the share of which both say the same class; the largest difference of a logit, and the
    largest logit, `scale`, against which it is judged where that is above 1."""

    images: int
    agreement: float
    largest: float
    scale: float

    @property
    def limit(self) -> float:
        return LARGEST * max(1.0, self.scale)

    @property
    def holds(self) -> bool:
        """False for NaN too, which is never at most a limit."""
        return self.agreement >= LEAST_AGREED and self.largest <= self.limit

    def __str__(self) -> str:
        share = f"the same class for {self.agreement:.2%} of {self.images} images"
        return f"{share}, logits differ by {self.largest:.2g} at most (limit {self.limit:.2g})"


def compare_answers(first: Answer, second: Answer, batches: Iterable[Tensor]) -> Parity:
    """Ask both about every batch of normalised images (B, 3, S, S)."""
    pairs = [(first(images), second(images)) for images in batches]
    ours, theirs = (torch.cat(side) for side in zip(*pairs, strict=True))
    return judge_answers(ours, theirs)


def judge_answers(ours: Tensor, theirs: Tensor) -> Parity:
    """Return how logits (B, classes) of the same images differ."""
    agreement = float((ours.argmax(1) == theirs.argmax(1)).double().mean())
    return Parity(len(ours), agreement, float((ours - theirs).abs().max()), float(ours.abs().max()))


def first_difference(written: Written, opened: Opened, images: Tensor) -> str | None:
    """Return the layer, in the file's order, from which on its values are others; None where the format shows none."""
    looked = images[:MOST_LOOKED]
    return _first_unlike({name: (layer, value) for name, layer, value in written.values(looked)}, opened.values(looked))


def _first_unlike(known: dict[str, tuple[str, Tensor]], found: Values) -> str | None:
    for name, layer, value in found:
        if name not in known or known[name][1].shape != value.shape or not value.is_floating_point():
            continue
        own, ours = known[name]
        if not _is_alike(ours.float(), value.float()):
            return own or layer or name
    return None


def _is_alike(ours: Tensor, theirs: Tensor) -> bool:
    """Whether values differ by rounding alone. Equal infinities, of which masks are made, are equal."""
    unlike = ours != theirs
    scale = max(1.0, float(ours[ours.isfinite()].abs().amax())) if ours.isfinite().any() else 1.0
    return not unlike.any() or float((ours - theirs)[unlike].abs().max()) <= LARGEST * scale
