"""Teachers: how a network sees a view (uint8 pixels, its own mean and std), and whether it knows enough to teach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from engine.errors import JobError

# Guessing comes above three deviations once in 740 times.
CHANCE_DEVIATIONS = 3.0


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return (images / 255 - mean) / std as fp32, for uint8 (B, C, S, S) and one mean and std per channel.

    Done where `images` are, so that the host moves one byte a value and each network uses its own figures on one view.
    """
    scale, shift = _constants(tuple(mean), tuple(std), images.device)
    return torch.addcmul(shift, images.float(), scale)


@lru_cache(maxsize=32)
def _constants(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return factor and summand (1, C, 1, 1), made once: to bring them to a GPU makes the host wait."""
    # Asked for within an evaluation first, they would be of no use to a gradient later.
    with torch.inference_mode(False):
        scale = torch.tensor([1.0 / (255.0 * one) for one in std], device=device)
        shift = torch.tensor([-average / one for average, one in zip(mean, std, strict=True)], device=device)
    return scale.view(1, -1, 1, 1), shift.view(1, -1, 1, 1)


def require_skill(top1: float, classes: int, images: int, part: str = "validation") -> None:
    """Raise JobError when a teacher's accuracy on `images` images of `part` could be that of guessing.

    Guessing is right in 1 / classes of the images; CHANCE_DEVIATIONS standard deviations above that are asked for.
    """
    chance = 1 / classes
    bound = chance + CHANCE_DEVIATIONS * math.sqrt(chance * (1 - chance) / images)
    # Of few images the bound may be above 1: all of them right is enough.
    if top1 <= min(bound, 1.0 - 0.5 / images):
        shown = f"{images} images" if part == "all" else f"{images} {part} images"
        what = f"the teacher is right on {top1:.1%} of {shown}: guessing gives {chance:.1%} and could come as far"
        fix = (
            "check the order of its classes (teacher.classes), how its pixels were normalised (teacher.mean, "
            "teacher.std), and its weights; or train it longer"
        )
        raise JobError(what, where="teacher", fix=fix)
