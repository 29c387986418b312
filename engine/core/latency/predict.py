"""Latency from a table: takes the pieces of a network, gives the seconds of a pass and how far off such a figure is.

The sum of the pieces lacks what lies between operators, by about the same share in all networks: a factor from the
reference networks, which were timed whole, puts it right. Each of them foretold by the others tells the error: it is
of networks that are not in the fit.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from engine.core.latency.pieces import Pieces, all_pieces, record_pass
from engine.core.latency.table import Times, Whole
from engine.core.network.build import build_network
from engine.spec import Student

OUTPUTS = 1000  # of the reference networks
LEAST_WHOLES = 3  # for a factor and its error


@dataclass(frozen=True)
class Prediction:
    """Seconds of a forward pass, and the median error of the reference networks, a fraction of what was timed."""

    seconds: float
    error: float


@dataclass(frozen=True)
class Reference:
    """A network that is timed whole, by its words and the side of its images."""

    network: Student
    image_size: int

    def build(self) -> nn.Module:
        return build_network(self.network, OUTPUTS, self.image_size).eval()


def unknown(pieces: Iterable[str], times: Times) -> list[str]:
    """Return the pieces that nobody has timed."""
    return sorted(set(pieces) - times.pieces.keys())


def sum_pieces(pieces: Pieces, times: Mapping[str, float]) -> float:
    """Return the seconds of pieces one after the other."""
    return math.fsum(times[piece] * count for piece, count in pieces.items())


def predict(pieces: Pieces, times: Times) -> Prediction | None:
    """Return what a pass of these pieces takes; None where a piece or the references have not been timed."""
    wholes = list(times.wholes.values())
    if len(wholes) < LEAST_WHOLES or unknown(pieces, times):
        return None
    return Prediction(factor_of(wholes) * sum_pieces(pieces, times.pieces), error_of(wholes))


def predict_network(
    network: nn.Module, image_size: int, times: Times, precision: str = "fp32", batch_size: int = 1
) -> Prediction | None:
    """Return what a pass of the network takes, from its shape alone; None where the table does not know it."""
    return predict(all_pieces(record_pass(network, image_size, batch_size, precision)), times)


def factor_of(wholes: Sequence[Whole]) -> float:
    """Return what a sum of pieces is multiplied with: the geometric mean over networks that were timed whole."""
    return math.exp(statistics.fmean(math.log(whole.seconds / whole.summed) for whole in wholes))


def error_of(wholes: Sequence[Whole]) -> float:
    """Return the median error of networks that are each foretold with the factor of the others."""
    return statistics.median(
        abs(factor_of([*wholes[:place], *wholes[place + 1 :]]) * whole.summed / whole.seconds - 1)
        for place, whole in enumerate(wholes)
    )


REFERENCES: Mapping[str, Reference] = {
    "tiny_vit_5m 192": Reference(Student(arch="tiny_vit_5m"), 192),
    "deit_tiny 224": Reference(Student(arch="timm/deit_tiny_patch16_224"), 224),
    "mobilenetv2_050 224": Reference(Student(arch="timm/mobilenetv2_050"), 224),
    "convnext_femto 224": Reference(Student(arch="timm/convnext_femto"), 224),
    "resnet14t 224": Reference(Student(arch="timm/resnet14t"), 224),
    "mobilenetv3_small_100 224": Reference(Student(arch="timm/mobilenetv3_small_100"), 224),
    "efficientnet_b0 224": Reference(Student(arch="timm/efficientnet_b0"), 224),
}
"""Of all kinds of blocks, small enough to be timed in a moment."""
