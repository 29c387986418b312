"""What a job does about pruning: takes an attempt and its network, gives the pruned one and the zeros to be kept.

Widths and masks are in every checkpoint from then on, so that a job that was killed prunes no second time. A control
takes them from the pruned network that it is a control of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.measure import count_macs, count_params
from engine.core.network.widths import read_widths
from engine.core.prune.criteria import Batches
from engine.core.prune.masks import Growth, Masks, choose_masks, mask_sizes, maskable, score_weights
from engine.core.prune.structured import PruneReport, prune_network, size_of
from engine.core.train.loop import Loop
from engine.core.train.optim import recovery
from engine.home.files import read_json
from engine.run.attempt import Attempt
from engine.run.inputs import load_trained
from engine.run.latency import check_here, solve_here
from engine.spec import Prune, Train

Measured = Callable[[str, float, str], None]
KEPT = ("widths", "masks", "mask_sizes")


def pruned_training(train: Train, prune: Prune) -> Train:
    """Return how a pruned network is trained on; what is pruned before its training has all epochs at its rate."""
    if prune.when == "before":
        return train.model_copy(update={"epochs": train.epochs + prune.recover_epochs})
    return recovery(train, prune.recover_epochs, prune.recover_lr)


def prune_here(
    attempt: Attempt, network: nn.Module, prune: Prune, batches: Batches, seed: int, image_size: int, measured: Measured
) -> None:
    """Prune in place; what a later attempt must know goes into every checkpoint from here on."""
    attempt.beat("prune")
    model = load_trained(attempt.home, attempt.need("pruned")) if "pruned" in attempt.needs else None
    if model is not None:  # what is pruned by chance: as much in each layer as the criterion took
        prune = prune.model_copy(update={"criterion": "random"})
    if prune.is_mask:
        report = _mask(attempt, network, prune, batches, seed, image_size, model)
    else:
        widths = _widths_of(attempt, "pruned") if model is not None else None
        if prune.of == "latency" and widths is None:
            solved = solve_here(attempt, image_size)
            widths = solved["widths"]
            measured("prune_predicted", solved["share"], "fraction")
        shape = read_widths(widths)
        report = prune_network(network, prune, batches, seed=seed, image_size=image_size, model=shape)
        attempt.extra["widths"] = report.widths.to_json() if report.widths is not None else None
        report = _checked(attempt, report, image_size)
    attempt.journal.fact("prune", report.to_json())
    measured("prune_asked", report.asked, "fraction")
    measured("prune_achieved", report.achieved, "fraction")
    measured("params_before", report.params_before, "1")


def _checked(attempt: Attempt, report: PruneReport, image_size: int) -> PruneReport:
    """Return the report with what is measured to be gone, where it is latency."""
    if report.of != "latency":
        return report
    found = check_here(attempt, image_size, attempt.extra["widths"])
    return replace(report, achieved=found["value"])


def _mask(
    attempt: Attempt, network: nn.Module, prune: Prune, batches: Batches, seed: int, image_size: int,
    model: nn.Module | None,
) -> PruneReport:  # fmt: skip
    """Set weights to zero, or say how many shall be when the mask has grown."""
    full = None if model is None else {name: int((weight == 0).sum()) for name, weight in maskable(model).items()}
    if prune.when == "gradual":
        sizes = full or _full_sizes(network, prune, seed)
        kept = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in maskable(network).items()}
        attempt.extra["mask_sizes"], zeros = sizes, sum(sizes.values())
    else:
        kept = choose_masks(network, prune, batches, seed=seed, full=full)
        zeros = sum(int((~mask).sum()) for mask in kept.values())
    Masks(network, kept).apply()
    attempt.extra["masks"] = kept
    params, macs = count_params(network), count_macs(network, size_of(network, image_size))
    return PruneReport(prune.of, prune.ratio, zeros / params, params, params, macs, macs, None, zeros)


def _full_sizes(network: nn.Module, prune: Prune, seed: int) -> dict[str, int]:
    scores = score_weights(network, maskable(network), prune.criterion, (), seed, torch.nn.functional.cross_entropy)
    return mask_sizes(network, prune, scores)


def take_pruned(attempt: Attempt) -> Any:
    """Return the widths (JSON) of the pruned network that this training is a control of; keep its mask, if it is one.

    None where it is no control, or the pruned network is as wide as its settings say.
    """
    if "pruned" not in attempt.needs:
        return None
    widths = _widths_of(attempt, "pruned")
    attempt.extra["widths"] = widths
    if widths is None:
        model = load_trained(attempt.home, attempt.need("pruned"))
        attempt.extra["masks"] = {name: weight.detach() != 0 for name, weight in maskable(model).items()}
    return widths


def _widths_of(attempt: Attempt, role: str) -> Any:
    winner = attempt.need(role).winner()
    return read_json(winner.artifacts / "network.json")["widths"] if winner is not None else None


def go_on(attempt: Attempt, state: Mapping[str, Any]) -> Any:
    """Take up what an earlier attempt pruned; return the widths (JSON) of its network."""
    attempt.extra |= {name: state[name] for name in KEPT if name in state}
    return attempt.extra.get("widths")


def hold_zeros(attempt: Attempt, loop: Loop, prune: Prune | None, seed: int) -> None:
    """Let a loop keep the zeros of its network, where it has a mask; from the first step on."""
    kept: dict[str, Tensor] | None = attempt.extra.get("masks")
    if kept is None:
        return
    growth = None
    if "mask_sizes" in attempt.extra and prune is not None:
        steps = loop.recipe.train.epochs * loop.groups.steps
        growth = Growth(attempt.extra["mask_sizes"], steps, _draws(loop.network, prune, seed))
    masks = Masks(loop.network, kept, growth)
    # The very tensors that the loop changes are those of its checkpoints.
    attempt.extra["masks"] = masks.kept
    loop.zeros = masks


def _draws(network: nn.Module, prune: Prune, seed: int) -> dict[str, Tensor]:
    """Return what chance gives each weight, the same in every attempt; nothing where sizes decide."""
    if "random" not in (prune.criterion, prune.control):
        return {}
    return score_weights(network, maskable(network), "random", (), seed, torch.nn.functional.cross_entropy)


def count_kept(loop: Loop) -> int | None:
    """Return how many parameters no mask sets to zero, None where there is none. Raises JobError for a broken mask."""
    if not isinstance(loop.zeros, Masks):
        return None
    loop.zeros.require_zeros()
    return count_params(loop.network) - loop.zeros.zeros
