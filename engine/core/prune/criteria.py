"""What makes a unit worth keeping: takes layers and evidence, gives a score per unit; the lowest go first.

A criterion that compares layers of one kind (`scope: global`) needs scores on one scale: those of gradients have one,
norms and distances are divided by their layer's mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.network.units import Layer, by_unit, incoming, outgoing
from engine.core.own_code.loading import call_own
from engine.errors import JobError
from engine.spec.own_code import names_code

Batches = Iterable[tuple[Tensor, Tensor]]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Evidence:
    """What a criterion may look at: the network, batches of its training images, the loss, the run's seed."""

    network: nn.Module
    batches: Batches
    seed: int
    loss: Loss


Score = Callable[[Sequence[Layer], Evidence], list[Tensor]]


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """How units are scored, and whether scores of different layers are on one scale as they come."""

    score: Score
    is_comparable: bool


def score_units(
    network: nn.Module, layers: Sequence[Layer], criterion: str, batches: Batches, seed: int, loss: Loss
) -> list[Tensor]:
    """Return a score per unit for each layer, by one of CRITERIA; the lowest go first."""
    return find_criterion(criterion).score(layers, Evidence(network, batches, seed, loss))


def even_scores(scores: Sequence[Tensor], criterion: str) -> list[Tensor]:
    """Return scores that layers of one kind can be compared by."""
    if find_criterion(criterion).is_comparable:
        return list(scores)
    return [score / score.mean().clamp_min(torch.finfo(score.dtype).tiny) for score in scores]


def find_criterion(criterion: str) -> Criterion:
    """Return the entry of a criterion; one of somebody's own looks at the weights into and out of units alone."""
    if not names_code(criterion):
        return CRITERIA[criterion]

    @torch.no_grad()
    def score(layers: Sequence[Layer], evidence: Evidence) -> list[Tensor]:
        return [call_own(criterion, {}, incoming(layer), outgoing(layer)) for layer in layers]

    return Criterion(score=score, is_comparable=False)


def random_scores(layers: Sequence[Layer], evidence: Evidence) -> list[Tensor]:
    """The control."""
    generator = torch.Generator().manual_seed(evidence.seed)
    return [torch.rand(layer.units, generator=generator) for layer in layers]


@torch.no_grad()
def norm_scores(layers: Sequence[Layer], evidence: Evidence, order: int) -> list[Tensor]:
    """Norm of the incoming times norm of the outgoing weights."""
    return [incoming(layer).norm(order, dim=1) * outgoing(layer).norm(order, dim=1) for layer in layers]


@torch.no_grad()
def distance_scores(layers: Sequence[Layer], evidence: Evidence) -> list[Tensor]:
    """FPGM (He et al. 2019, arXiv 1811.00250): the sum of distances to all other units; the most redundant go."""
    return [torch.cdist(rows, rows).sum(1) for rows in map(incoming, layers)]


def taylor_scores(layers: Sequence[Layer], evidence: Evidence) -> list[Tensor]:
    """Mean over batches of |sum of w dL/dw over the unit's outgoing weights|: to first order, what its going changes.

    In eval mode, so that batch norm neither moves nor sees the batch; gradients are left as they were.
    """
    weights = [[part.weight for part in layer.of_side("in")] for layer in layers]
    flat = [weight for group in weights for weight in group]
    device = flat[0].device
    scores = [torch.zeros(layer.units, dtype=torch.float64, device=device) for layer in layers]
    count = 0
    for grads in batch_gradients(evidence, flat):
        left = iter(grads)
        for score, layer, group in zip(scores, layers, weights, strict=True):
            score += _first_order(layer, group, [next(left) for _ in group])
        count += 1
    return [score / count for score in scores]


def _first_order(layer: Layer, weights: Sequence[Tensor], grads: Sequence[Tensor]) -> Tensor:
    held = zip(layer.of_side("in"), weights, grads, strict=True)
    changes = [
        (by_unit(layer, one.detach(), part) * by_unit(layer, grad, part)).double().sum(1) for part, one, grad in held
    ]
    return torch.stack(changes).sum(0).abs() if len(changes) > 1 else changes[0].abs()


def batch_gradients(evidence: Evidence, weights: Sequence[Tensor]) -> Any:
    """Yield the gradients of the loss by `weights`, batch by batch, in eval mode. Raises JobError without a batch."""
    network = evidence.network
    was_training, device = network.training, next(network.parameters()).device
    network.eval()
    count = 0
    try:
        with torch.enable_grad():
            for images, labels in evidence.batches:
                value = evidence.loss(network(images.to(device)), labels.to(device))
                yield torch.autograd.grad(value, weights)
                count += 1
    finally:
        network.train(was_training)
    if count == 0:
        raise JobError("criterion taylor needs training images to take gradients on", fix="use l1, l2 or random")


CRITERIA: dict[str, Criterion] = {
    "taylor": Criterion(score=taylor_scores, is_comparable=True),
    "l1": Criterion(score=partial(norm_scores, order=1), is_comparable=False),
    "l2": Criterion(score=partial(norm_scores, order=2), is_comparable=False),
    "fpgm": Criterion(score=distance_scores, is_comparable=False),
    "random": Criterion(score=random_scores, is_comparable=True),
}
