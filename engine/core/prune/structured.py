"""Structured pruning: takes a trained network and an asked share, leaves it really smaller, in place.

Which units go is decided in each layer by the criterion (one of CRITERIA), or over all layers of a kind; how many, by
the share at which the count comes nearest to what was asked. A network that is no TinyViT is believed only where
zeroing its units equals taking them away.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.measure import count_macs, count_macs_by_module, count_params
from engine.core.network.graph_units import has_graph, sizes_of
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.units import SHARED, Layer, keep_units, list_layers, unit_params, unit_widths, zero_units
from engine.core.network.widths import UnitWidths, Widths
from engine.core.prune.criteria import Batches, Loss, even_scores, score_units
from engine.core.prune.shares import Cost, Drops, plan_drops, rank_drops
from engine.core.prune.tally import macs_of, make_cost
from engine.errors import JobError
from engine.spec import Prune

ALIKE = 1e-6
"""How far the answers of a network with units at zero may be from those of one without them."""


@dataclass(frozen=True)
class PruneReport:
    """What was asked, what came out, and all that is needed to build the smaller network again.

    `asked` and `achieved` are the removed share of `of` (params, macs or units), in 0..1; of a mask, that of zeros
    among the parameters, `zeros` their number.
    """

    of: str
    asked: float
    achieved: float
    params_before: int
    params_after: int
    macs_before: int
    macs_after: int
    widths: Widths | UnitWidths | None
    zeros: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def prune_network(
    network: nn.Module,
    prune: Prune,
    batches: Batches = (),
    *,
    seed: int = 0,
    loss: Loss | None = None,
    image_size: int | None = None,
    model: Widths | UnitWidths | None = None,
) -> PruneReport:
    """Take away the asked share, in place; optimizers over the old parameters are then worthless.

    `batches` (normalised images, labels) of the training part serve the criterion taylor; `loss` takes logits and
    labels (default cross entropy). `image_size` is that of a network which is no TinyViT; `model` are widths that the
    network shall have, whatever the criterion says. Raises JobError for a network or a share that cannot be pruned.
    """
    if prune.of == "latency" and model is None:
        raise JobError("the widths of a share of latency are solved first", fix="give model: those of latency/solve.py")
    size = size_of(network, image_size)
    params_before, macs_before = count_params(network), count_macs(network, size)
    layers = find_layers(network, prune.of, size, prune.embedding, prune.round_to)
    if prune.embedding or not isinstance(network, TinyViT):
        check_removal(network, layers, size)
    cost = make_cost(network, layers, prune.of, size)
    total = total_of(network, layers, prune.of, size)
    scores = score_units(network, layers, prune.criterion, batches, seed, loss or F.cross_entropy)
    drops = _choose_drops(layers, scores, prune, total, cost, model)
    widths = narrowed(network, layers, drops, scores)
    params_after, macs_after = count_params(network), count_macs(network, size)
    counted: Mapping[str, float] = {"params": 1 - params_after / params_before, "macs": 1 - macs_after / macs_before}
    # Of latency that is for a clock to say.
    achieved = counted.get(prune.of, cost(drops) / total) if prune.of != "latency" else math.nan
    return PruneReport(prune.of, prune.ratio, achieved, params_before, params_after, macs_before, macs_after, widths)


def narrowed(
    network: nn.Module, layers: Sequence[Layer], drops: Drops, scores: Sequence[Tensor] = ()
) -> Widths | UnitWidths:
    """Take units out of layers, in place, the lowest scores first, else the last; return the new widths."""
    ranks = scores or [-torch.arange(layer.units) for layer in layers]
    for layer, drop, score in zip(layers, drops, ranks, strict=True):
        keep_units(layer, best_units(score, layer.units - drop))
    return _set_widths(network, layers, drops)


def _choose_drops(
    layers: Sequence[Layer], scores: Sequence[Tensor], prune: Prune, total: float, cost: Cost,
    model: Widths | UnitWidths | None,
) -> Drops:  # fmt: skip
    if model is not None:
        return [layer.units - width_in(model, layer) for layer in layers]
    if prune.scope == "global":
        return rank_drops(layers, even_scores(scores, prune.criterion), prune.ratio, total, cost)
    return plan_drops(layers, prune.ratio, total, cost)


def size_of(network: nn.Module, image_size: int | None) -> int:
    """Return the side of the images that a network looks at."""
    if isinstance(network, TinyViT):
        return network.shape.image_size
    assert image_size is not None, "a timm network does not know the size of its images"
    return image_size


def find_layers(
    network: nn.Module, of: str = "params", image_size: int | None = None, embedding: bool = False, round_to: int = 8
) -> list[Layer]:
    """Return the prunable layers, first block first, with what one unit of each costs in `of`.

    `embedding`: the streams too; wide layers keep a multiple of `round_to`. Raises JobError, which names the network,
    where nothing is known that can go.
    """
    layers = [replace(layer, round_to=round_to) for layer in list_layers(network, embedding, image_size)]
    if layers and embedding and not any(layer.kind in SHARED for layer in layers):
        raise _no_stream(network)
    if not layers:
        fix = "use method: unstructured, prune a network of plain MLPs, attention or bottlenecks, or leave prune away"
        if not has_graph():
            fix = 'have its graph followed: pip install "xp-engine[prune]"; or use method: unstructured'
        raise JobError(f"structured pruning knows no unit of {name_of(network)} that can be taken away", fix=fix)
    if of == "macs":
        macs = _layer_macs(network, layers, size_of(network, image_size))
        return [replace(layer, cost=macs[layer.name] / layer.units) for layer in layers]
    return [replace(layer, cost=1.0 if of == "units" else float(unit_params(layer))) for layer in layers]


def _layer_macs(network: nn.Module, layers: Sequence[Layer], image_size: int) -> dict[str, float]:
    """Return the multiply-adds that are a layer's units', by its name.

    Those of the whole module; a block of timm may hold convolutions beside those of its units.
    """
    counts = count_macs_by_module(network, image_size)
    names = {module: name for name, module in network.named_modules()}
    found = {}
    for layer in layers:
        is_whole = layer.kind not in SHARED and (isinstance(network, TinyViT) or layer.kind != "mid")
        parts = {names[part.module]: part.share for part in layer.parts if part.slots}
        held = {layer.name: 1.0} if is_whole else parts
        found[layer.name] = sum(share * macs_of(name, counts) for name, share in held.items())
    return found


def total_of(network: nn.Module, layers: Sequence[Layer], of: str, image_size: int | None = None) -> float:
    """Return what a share is a share of."""
    if of == "units":
        return sum(layer.units for layer in layers)
    return count_params(network) if of == "params" else count_macs(network, size_of(network, image_size))


def best_units(score: Tensor, count: int) -> Tensor:
    """Return the places of the `count` best in their old order; among equals the first stay."""
    return score.sort(descending=True, stable=True).indices[:count].sort().values


def check_removal(network: nn.Module, layers: Sequence[Layer], image_size: int) -> None:
    """Raise JobError, naming the network, where taking units away is not what setting their weights to zero is."""
    streams = any(layer.kind == "embedding" for layer in layers)
    zeroed, smaller = (copy.deepcopy(network).double().cpu().eval() for _ in range(2))
    images = torch.randn(1, 3, image_size, image_size, generator=torch.Generator().manual_seed(0)).double()
    try:
        for one, other in zip(*(list_layers(one, streams, image_size) for one in (zeroed, smaller)), strict=True):
            gone = torch.arange(0, one.units, 2) if one.units > 1 else torch.arange(0)
            zero_units(one, gone)
            keep_units(other, torch.tensor([unit for unit in range(one.units) if unit % 2 or one.units == 1]))
        with torch.inference_mode():
            wanted, found = zeroed(images), smaller(images)
    except (RuntimeError, IndexError) as error:
        raise _no_removal(network, str(error).splitlines()[0]) from error
    apart = float((wanted - found).abs().max()) / max(1.0, float(wanted.abs().max()))
    if not apart <= ALIKE:
        raise _no_removal(network, f"its answers move by {apart:.1g}")


def _no_stream(network: nn.Module) -> JobError:
    layer_norms = sum(isinstance(module, nn.LayerNorm) for module in network.modules())
    why = f": {layer_norms} layer norms see all channels together" if layer_norms else ""
    what = f"prune.embedding knows no channel of {name_of(network)} whose going leaves the others as they are{why}"
    return JobError(what, fix="leave embedding away: heads, hidden units and inner channels can go")


def _no_removal(network: nn.Module, why: str) -> JobError:
    what = f"units of {name_of(network)} cannot be taken away without changing the others: {why}"
    return JobError(what, fix="use method: unstructured, or another network")


def name_of(network: nn.Module) -> str:
    """Return what a person calls a network."""
    told = getattr(network, "pretrained_cfg", None) or {}
    return str(told.get("architecture") or type(network).__name__)


def width_in(widths: Widths | UnitWidths, layer: Layer) -> int:
    """Return how many units a layer has in these widths."""
    if isinstance(widths, UnitWidths):
        return widths.sizes[layer.name][0] if layer.kind == "group" else widths.units[layer.name]
    if layer.kind == "embedding":
        return widths.stem or layer.units
    if layer.kind == "mid":
        return widths.mid[layer.block]
    return (widths.heads if layer.kind == "heads" else widths.hidden)[layer.stage - 1][layer.block]


def _set_widths(network: nn.Module, layers: Sequence[Layer], drops: Sequence[int]) -> Widths | UnitWidths:
    if not isinstance(network, TinyViT):
        if any(layer.kind == "group" for layer in layers):
            modules = dict.fromkeys(part.module for layer in layers for part in layer.parts)
            return UnitWidths({}, sizes_of(network, modules))
        return unit_widths(layers, drops)
    network.widths = _new_widths(network.widths, layers, drops)
    return network.widths


def _new_widths(widths: Widths, layers: Sequence[Layer], drops: Sequence[int]) -> Widths:
    stages = {"mid": (widths.mid,), "heads": widths.heads, "hidden": widths.hidden}
    table = {kind: [list(stage) for stage in values] for kind, values in stages.items()}
    stem = widths.stem
    for layer, drop in zip(layers, drops, strict=True):
        if layer.kind == "embedding":
            stem = layer.units - drop
            continue
        table[layer.kind][0 if layer.kind == "mid" else layer.stage - 1][layer.block] -= drop
    heads, hidden = (tuple(tuple(stage) for stage in table[kind]) for kind in ("heads", "hidden"))
    return replace(widths, mid=tuple(table["mid"][0]), heads=heads, hidden=hidden, stem=stem)
