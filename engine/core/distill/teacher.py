"""How a network sees a view: takes uint8 pixels and its own mean and std, gives its input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return (images / 255 - mean) / std as fp32, for uint8 (B, C, S, S) and one mean and std per channel.

    Done where `images` are, so that the host moves one byte a value and each network uses its own figures on one view.
    """
    shape = (1, -1, 1, 1)
    scale = torch.tensor([1.0 / (255.0 * one) for one in std], device=images.device)
    shift = torch.tensor([-average / one for average, one in zip(mean, std, strict=True)], device=images.device)
    return torch.addcmul(shift.view(shape), images.float(), scale.view(shape))
