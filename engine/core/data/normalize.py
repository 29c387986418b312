"""Pixels as a network wants them: takes uint8 views, gives fp32 by its own mean and std; on a GPU in one launch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from engine.core.data.kernels.ready import can_look_up

LEVELS = 256


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return (images / 255 - mean) / std as fp32, for uint8 (B, C, S, S) and one mean and std per channel.

    Done where `images` are, so that the host moves one byte a value and each network uses its own figures on one view.
    """
    if images.dtype == torch.uint8 and images.is_contiguous() and can_look_up(images.device):
        from engine.core.data.kernels.look_up import look_up

        return look_up(images, _table(tuple(mean), tuple(std), images.device))
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


@lru_cache(maxsize=32)
def _table(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> Tensor:
    """Return what each level becomes, fp32 (C, 256), as the host computes it; made once, as the constants are."""
    scale, shift = _constants(mean, std, torch.device("cpu"))
    with torch.inference_mode(False):
        levels = torch.arange(LEVELS, dtype=torch.float32).view(1, 1, 1, LEVELS)
        return torch.addcmul(shift, levels, scale).view(-1, LEVELS).to(device)
