"""Does a network need what its maps point at: takes images, maps and who answers, gives deletion and insertion curves.

Petsiuk et al. 2018 (RISE): pixels are taken away from the image (deletion) or put into a bare one (insertion), those
first that the map puts highest, and the probability of the class that the network says of the whole image is followed.
Under a good map it falls at once, and rises at once. Taken away is what gets the mean colour of the image; bare is the
image blurred by a sixteenth of its side (RISE's blur, a 45th at 224 pixels, leaves small images readable). The control
is the same with a random map of the same size: what any order would do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = 16
BLUR_SHARE = 16
"""The side of an image over the standard deviation of its blur."""
REACH = 3  # deviations at which the bell of the blur is cut off

Answer = Callable[[Tensor], Tensor]  # uint8 images (B, 3, S, S) -> logits (B, classes)


@dataclass(frozen=True)
class CurveFigures:
    """Of each image (B,): areas under the curves, from 0 to 1, and how much better they are than the control's."""

    deletion_auc: Tensor
    insertion_auc: Tensor
    deletion_gain: Tensor
    insertion_gain: Tensor


def follow_curves(answer: Answer, images: Tensor, maps: Tensor, seed: int = 0) -> CurveFigures:
    """Return the figures of uint8 images (B, 3, S, S) with their maps (B, H, W); `seed` draws the control's maps."""
    chance = torch.Generator().manual_seed(seed)
    control = torch.rand(maps.shape, generator=chance)
    own = [_areas(answer, image, one) for image, one in zip(images.cpu(), maps.float().cpu(), strict=True)]
    random = [_areas(answer, image, one) for image, one in zip(images.cpu(), control, strict=True)]
    (deletion, insertion), (any_deletion, any_insertion) = torch.tensor(own).T, torch.tensor(random).T
    return CurveFigures(deletion, insertion, any_deletion - deletion, insertion - any_insertion)


def _areas(answer: Answer, image: Tensor, one: Tensor) -> tuple[float, float]:
    """Return the areas under both curves of one image (3, S, S)."""
    masks = removal_masks(one, image.shape[-1])
    whole, bare = image.float(), blurred(image)
    mean = whole.mean((1, 2), keepdim=True)
    deleted = torch.where(masks[:, None], mean, whole)
    inserted = torch.where(masks[:, None], whole, bare)
    predicted = int(answer(image[None]).argmax(1))
    curves = [answer(shown.round().to(torch.uint8)).softmax(1)[:, predicted] for shown in (deleted, inserted)]
    deletion, insertion = (float(torch.trapezoid(curve.detach().double().cpu(), dx=1 / STEPS)) for curve in curves)
    return deletion, insertion


def removal_masks(one: Tensor, side: int) -> Tensor:
    """Return (STEPS + 1, S, S) bool: the pixels that a map (H, W) puts highest, none at first and all in the end."""
    wide = F.interpolate(one[None, None], size=(side, side), mode="bilinear", align_corners=False).flatten()
    # Stable: among equal pixels the one further up and left comes first, on every machine.
    order = wide.argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    counts = (torch.arange(STEPS + 1) * len(order) / STEPS).round()
    return (rank < counts[:, None]).view(STEPS + 1, side, side)


def blurred(image: Tensor) -> Tensor:
    """Return an image (3, S, S) under a Gaussian, float32; beyond its border it goes on as it ends."""
    deviation = image.shape[-1] / BLUR_SHARE
    reach = max(1, round(REACH * deviation))
    bell = torch.exp(-((torch.arange(-reach, reach + 1) / deviation) ** 2) / 2)
    bell = bell / bell.sum()
    spread = F.pad(image.float()[:, None], (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(spread, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))[:, 0]
