"""Masks: takes a network and an asked share, gives which weights are zero from now on, and keeps them so.

A mask takes no layer smaller: parameters, memory and the time of a dense kernel stay as they are. Weights are those of
linear layers and convolutions; biases, norms and tables of biases stay whole. `2:4`: of each four weights along the
input, two are zero, which is what sparse tensor cores take (Mishra et al. 2021, arXiv 2104.08378).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.measure import count_params
from engine.core.prune.criteria import Batches, Evidence, Loss, batch_gradients
from engine.core.prune.shares import MET
from engine.errors import JobError
from engine.spec import Prune

GROUP, ZEROS = 4, 2  # of 2:4
GROWN = 0.7  # of the steps of recovery: then a mask that grows has its full size
UPDATES = 50  # of such a mask until then
Tensors = dict[str, Tensor]


def maskable(network: nn.Module) -> Tensors:
    """Return the weights that a mask may lie on, by name: those of linear layers and convolutions."""
    modules = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return {f"{name}.weight" if name else "weight": module.weight for name, module in modules}


@dataclass
class Masks:
    """Which weights are kept (True), by name, for one network; `hold` keeps the others at zero.

    `growth`: how large a mask is after some steps, for one that grows; None for one that is there from the start.
    """

    network: nn.Module
    kept: Tensors
    growth: Growth | None = None
    weights: Tensors = field(init=False, repr=False)

    def __post_init__(self) -> None:
        known = maskable(self.network)
        self.weights = {name: known[name] for name in self.kept}
        self.kept = {name: mask.to(self.weights[name].device) for name, mask in self.kept.items()}

    @property
    def zeros(self) -> int:
        return sum(int((~mask).sum()) for mask in self.kept.values())

    @torch.no_grad()
    def apply(self, *others: Mapping[str, Tensor]) -> None:
        """Set what is masked to zero, in the network and in other tensors of these names."""
        for name, mask in self.kept.items():
            self.weights[name].mul_(mask)
            for values in others:
                if name in values:
                    values[name].mul_(mask)

    @torch.no_grad()
    def mask_gradients(self) -> None:
        """What does not move has no gradient: clipping and moments see the kept weights alone."""
        for name, mask in self.kept.items():
            gradient = self.weights[name].grad
            if gradient is not None:
                gradient.mul_(mask)

    @torch.no_grad()
    def hold(self, step: int, *others: Mapping[str, Tensor]) -> None:
        """Keep the zeros after optimizer step `step` (from 1); a mask that grows, grows."""
        if self.growth is not None and self.growth.is_due(step):
            for name, mask in self.kept.items():
                size = lowest(self.growth.score(name, self.weights[name], mask), self.growth.size(name, step))
                mask.logical_and_(~size)
        self.apply(*others)

    def require_zeros(self) -> None:
        """Raise JobError where a weight that should be zero is not: a result that says otherwise would be wrong."""
        for name, mask in self.kept.items():
            if bool(self.weights[name].detach()[~mask].any()):
                raise JobError(f"masked weights of {name} are not zero", fix="report this: a mask was not kept")


@dataclass(frozen=True)
class Growth:
    """A mask's size over the steps: s(t) = s_f (1 - (1 - t / T)^3), Zhu and Gupta 2017 (arXiv 1710.01878).

    `full` is the number of zeros of each weight at last, `steps` all steps of the recovery; `draws` are scores by
    chance, where chance decides.
    """

    full: Mapping[str, int]
    steps: int
    draws: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def end(self) -> int:
        return max(1, math.floor(GROWN * self.steps))

    def is_due(self, step: int) -> bool:
        return step <= self.end and (step % max(1, self.end // UPDATES) == 0 or step == self.end)

    def share(self, step: int) -> float:
        return 1.0 - (1.0 - min(1.0, step / self.end)) ** 3

    def size(self, name: str, step: int) -> int:
        return round(self.full[name] * self.share(step))

    def score(self, name: str, weight: Tensor, mask: Tensor) -> Tensor:
        """Return what each weight is worth; what is masked already is worth least."""
        score = self.draws[name].to(weight.device) if self.draws else weight.detach().abs()
        return score.masked_fill(~mask, -1.0)


def choose_masks(
    network: nn.Module, prune: Prune, batches: Batches = (), *, seed: int = 0, loss: Loss | None = None,
    full: Mapping[str, int] | None = None,
) -> Tensors:  # fmt: skip
    """Return which weights are kept, by name; nothing is set to zero yet.

    `full`: how many zeros each weight is given, where another network says so. Raises JobError for a share that is not
    met within a point of the parameters, or a network without weights that a mask may lie on.
    """
    weights = two_of_four_weights(network) if prune.method == "2:4" else maskable(network)
    scores = score_weights(network, weights, prune.criterion, batches, seed, loss or F.cross_entropy)
    if prune.method == "2:4":
        return _two_of_four(weights, scores)
    sizes = full or mask_sizes(network, prune, scores)
    return {name: ~lowest(scores[name], sizes[name]) for name in weights}


def mask_sizes(network: nn.Module, prune: Prune, scores: Tensors) -> dict[str, int]:
    """Return how many zeros each weight is given, so that they are `ratio` of all parameters; one each stays."""
    wanted, most = (
        round(prune.ratio * count_params(network)),
        {name: score.numel() - 1 for name, score in scores.items()},
    )
    limit = sum(most.values())
    if wanted > limit + MET * count_params(network):
        reached = limit / count_params(network)
        fix = f"ask for at most {math.floor(100 * reached) / 100}"
        raise JobError(
            f"prune.ratio {prune.ratio}: only {reached:.0%} lies in weights that a mask may set to zero", fix=fix
        )
    if prune.scope == "global":
        return _ranked_sizes(scores, most, min(wanted, limit))
    share = min(wanted, limit) / sum(score.numel() for score in scores.values())
    return {name: min(most[name], round(share * score.numel())) for name, score in scores.items()}


def _ranked_sizes(scores: Tensors, most: Mapping[str, int], wanted: int) -> dict[str, int]:
    """Return how many of the lowest scores of all lie in each weight."""
    names = list(scores)
    owners = torch.cat([torch.full((scores[name].numel(),), place) for place, name in enumerate(names)])
    values = torch.cat([scores[name].flatten().cpu() for name in names])
    found = torch.bincount(owners[values.sort(stable=True).indices[:wanted]], minlength=len(names)).tolist()
    return {name: min(most[name], count) for name, count in zip(names, found, strict=True)}


def score_weights(
    network: nn.Module, weights: Tensors, criterion: str, batches: Batches, seed: int, loss: Loss
) -> Tensors:
    """Return what each weight is worth, by name: its size, |w dL/dw| in the mean over batches, or chance."""
    return SCORES[criterion](weights, Evidence(network, batches, seed, loss))


def _sizes(weights: Tensors, evidence: Evidence) -> Tensors:
    return {name: weight.detach().abs() for name, weight in weights.items()}


def _changes(weights: Tensors, evidence: Evidence) -> Tensors:
    """To first order what setting a weight to zero changes."""
    values = list(weights.values())
    sums = [torch.zeros_like(value) for value in values]
    for gradients in batch_gradients(evidence, values):
        for total, value, gradient in zip(sums, values, gradients, strict=True):
            total += (value.detach() * gradient).abs()
    return dict(zip(weights, sums, strict=True))


def _draws(weights: Tensors, evidence: Evidence) -> Tensors:
    generator = torch.Generator().manual_seed(evidence.seed)
    return {name: torch.rand(weight.shape, generator=generator) for name, weight in weights.items()}


def lowest(score: Tensor, count: int) -> Tensor:
    """Return which `count` entries are lowest; of equals the first."""
    flags = torch.zeros(score.numel(), dtype=torch.bool, device=score.device)
    flags[score.flatten().sort(stable=True).indices[:count]] = True
    return flags.view(score.shape)


def _two_of_four(weights: Tensors, scores: Tensors) -> Tensors:
    return {name: _keep_two(scores[name]) for name in weights}


def two_of_four_weights(network: nn.Module) -> Tensors:
    """Return the weights whose inputs come in fours. Raises JobError where there is none."""
    found = {name: weight for name, weight in maskable(network).items() if weight.shape[1] % GROUP == 0}
    if not found:
        what = "method 2:4 needs a layer whose inputs are a multiple of four, and there is none"
        raise JobError(what, fix="use method: unstructured")
    return found


def _keep_two(score: Tensor) -> Tensor:
    """Keep the two highest of each four along the input, axis 1."""
    last = score.movedim(1, -1)
    groups = last.reshape(-1, GROUP)
    low = groups.sort(dim=1, stable=True).indices[:, :ZEROS]
    kept = torch.ones_like(groups, dtype=torch.bool).scatter_(1, low, False)
    return kept.view(last.shape).movedim(-1, 1).contiguous()


def two_of_four_share(weights: Sequence[Tensor]) -> float:
    """Return the share of groups of four along the input with at most two that are not zero."""
    groups = torch.cat([weight.detach().movedim(1, -1).reshape(-1, GROUP) for weight in weights])
    return float(((groups != 0).sum(1) <= GROUP - ZEROS).float().mean())


SCORES: dict[str, Callable[[Tensors, Evidence], Tensors]] = {
    "taylor": _changes,
    "l1": _sizes,
    "l2": _sizes,
    "random": _draws,
}
