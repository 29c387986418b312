"""How far a student's features are from its teacher's: takes both at the same places, gives one number.

Features are fp32 (B, T, C): of B images, at T places, C channels; of a loss that keeps energy C is 1 and the values are
means of squares. Each function is a mean over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from engine.spec.features import FeatureLossWords

FeatureFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class FeatureLoss(FeatureLossWords):
    """A feature loss: what its words in a spec say, and how it is computed. No function: by the loss of the logits.

    `couples`: it compares images, so that the loss of a batch is not that of its pieces.
    """

    function: FeatureFunction | None
    couples: bool = False


def mse_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of the squared differences: the hints of FitNets (Romero et al. 2015), over all places and channels."""
    return F.mse_loss(student, teacher)


def smooth_l1_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of d^2 / 2 where |d| < 1, else |d| - 1/2: what VkD compares normalised features by (Miles et al. 2024)."""
    return F.smooth_l1_loss(student, teacher)


def cosine_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over places of 1 - cos of the angle between the channels there: lengths do not count."""
    return (1 - F.cosine_similarity(student, teacher, dim=2)).mean()


def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of the squared differences of attention maps, each divided by its length (Zagoruyko and Komodakis 2017).

    A map is the energy (B, T, 1) of a layer; of any two layers, whatever channels they have. Its authors' code has the
    weight 1000 for this mean.
    """
    return F.mse_loss(F.normalize(student, dim=1), F.normalize(teacher, dim=1))


def relational_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Huber's loss of distances between images, and twice that of angles: RKD (Park et al. 2019), whose weights are 25
    and 50.

    Distances are divided by their mean in the batch; angles are cosines at an image between two others.
    """
    one, other = student.flatten(1), teacher.flatten(1)
    distances = F.smooth_l1_loss(_distances(one), _distances(other))
    return distances + 2 * F.smooth_l1_loss(_angles(one), _angles(other))


def _distances(rows: Tensor) -> Tensor:
    """Return (B, B) distances over their mean, that of an image from itself left out of the mean."""
    gaps = _gaps(rows).square().sum(dim=2)
    apart = (gaps + 1e-12).sqrt() * (gaps > 0)  # the root has no gradient at 0
    count = max(len(rows) * (len(rows) - 1), 1)
    return apart / (apart.sum() / count).clamp(min=1e-6)


def _angles(rows: Tensor) -> Tensor:
    """Return (B, B, B): the cosine at image i of the directions to j and to k."""
    directions = F.normalize(_gaps(rows), dim=2, eps=1e-6)
    return directions @ directions.transpose(1, 2)


def _gaps(rows: Tensor) -> Tensor:
    """Return (B, B, D): from each image to each."""
    return rows[None, :, :] - rows[:, None, :]


FEATURE_LOSSES: dict[str, FeatureLoss] = {
    "mse": FeatureLoss(function=mse_loss, weight=1.0, pool=1, projector="linear"),
    "smooth_l1": FeatureLoss(function=smooth_l1_loss, weight=1.0, pool=1, projector="linear"),
    "cosine": FeatureLoss(function=cosine_loss, weight=1.0, pool=1, projector="linear"),
    "attention": FeatureLoss(function=attention_loss, weight=1000.0, pool=7, projector="none", keeps="energy"),
    "answers": FeatureLoss(function=None, weight=1.0, pool=1, projector="exit", keeps="answer"),
    "relational": FeatureLoss(
        function=relational_loss, weight=25.0, pool=1, projector="none", matches=False, couples=True
    ),
}
