"""What stands between a student's features and its teacher's: takes (B, T, C) of the student, gives the teacher's C.

A projector is trained with the student, by the same optimizer, and is no part of the network that is tested, measured
or exported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.spec.features import ProjectorWords


class Projector(nn.Module):
    """None: features are compared as they are, relations of images as they lie."""

    def forward(self, student: Tensor) -> Tensor:
        """Return the student's features as the teacher's are to be met."""
        return student

    def aim(self, teacher: Tensor) -> Tensor:
        """Return what of the teacher's features (B, T, C) is to be met."""
        return teacher


class LinearProjector(Projector):
    """One matrix and a bias at every place: a convolution of 1 x 1, the regressor of FitNets (Romero et al. 2015)."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.map = nn.Linear(inner, outer)

    def forward(self, student: Tensor) -> Tensor:
        projected: Tensor = self.map(student)
        return projected


class OrthogonalProjector(Projector):
    """VkD's (Miles et al. 2024): orthonormal columns, without bias, so that distances and angles stay the student's.

    Rows are orthonormal where the student has more channels. The teacher's features are standardised over channels,
    as VkD does for classification. The matrix is a product of reflections (Householder), one for each column: whatever
    an optimizer makes of their directions, it is orthonormal.
    """

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.shape = max(inner, outer), min(inner, outer)
        self.is_wide = inner > outer
        # A vector, to which no weight decay applies: a direction's length means nothing.
        self.directions = nn.Parameter(torch.randn(inner * outer))

    @property
    def matrix(self) -> Tensor:
        """(outer, inner)"""
        # Reflection i leaves the first i places alone, and has a one at the next: what is there and above is not read.
        below = self.directions.view(self.shape).tril(-1)
        scales = 2 / (1 + below.square().sum(dim=0))
        columns: Tensor = torch.linalg.householder_product(below, scales)
        return columns.T if self.is_wide else columns

    def forward(self, student: Tensor) -> Tensor:
        return F.linear(student, self.matrix)

    def aim(self, teacher: Tensor) -> Tensor:
        return F.layer_norm(teacher, teacher.shape[-1:])


LAST_SIDE = 7  # of an exit's map


class Exit(nn.Module):
    """A head of its own on a layer: takes its map (B, C, H, W), gives logits (B, classes), as OFA-KD's exits do for
    convolutional students (Hao et al. 2023).

    Separable convolutions halve the map and double its channels until it has 7 places a side at most; a map that is
    small already gets one of 1 x 1. OFA-KD's last width is that of the two networks' features, and its exits of
    students that have tokens are blocks of attention: here tokens are taken as the map that they are of.
    """

    def __init__(self, inner: int, classes: int, side: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        while side > LAST_SIDE:
            parts.append(_separable(inner))
            inner, side = 2 * inner, -(-side // 2)
        if not parts:
            parts, inner = [nn.Conv2d(inner, 2 * inner, 1)], 2 * inner
        self.body, self.head = nn.Sequential(*parts), nn.Linear(inner, classes)

    def forward(self, found: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(found).mean(dim=(2, 3)))
        return logits


def _separable(width: int) -> nn.Module:
    """Halve a map and double its channels, by two depthwise and two pointwise convolutions."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, 2, 1, groups=width, bias=False), nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False), nn.Conv2d(width, 2 * width, 1, bias=False),
        nn.BatchNorm2d(2 * width), nn.ReLU(),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ProjectorKind(ProjectorWords):
    """A projector: what its words in a spec say, and what makes one from two counts of channels and a layer's side."""

    make: Callable[[int, int, int], nn.Module]


PROJECTORS: dict[str, ProjectorKind] = {
    "none": ProjectorKind(make=lambda inner, outer, side: Projector(), changes=False),
    "linear": ProjectorKind(make=lambda inner, outer, side: LinearProjector(inner, outer), changes=True),
    "orthogonal": ProjectorKind(make=lambda inner, outer, side: OrthogonalProjector(inner, outer), changes=True),
    "exit": ProjectorKind(make=Exit, changes=True),
}
