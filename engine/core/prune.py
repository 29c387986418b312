"""Structured pruning of a TinyViT: takes a trained network and an asked share, leaves it really smaller, in place.

Units are inner widths only, so that the residual stream keeps its size: inner channels of an MBConv, whole attention
heads (both projection sets), hidden units of an MLP. Taking a unit away equals setting its outgoing weights to zero.
Which units go is decided in each layer by the criterion; how many, by bisection until the counted share is met.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.measure import count_macs_by_module, count_params
from engine.core.network.attention import LongformerAttention, WindowAttention
from engine.core.network.layers import MBConv, NormMlp
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.widths import Widths
from engine.errors import JobError
from engine.spec import Prune

Batches = Iterable[tuple[Tensor, Tensor]]
Loss = Callable[[Tensor, Tensor], Tensor]
Kind = Literal["mid", "heads", "hidden"]

ROUND_TO = 8
"""Wide layers keep a multiple of this many units: odd widths save parameters and no time."""


@dataclass(frozen=True)
class PruneReport:
    """What was asked, what came out, and all that is needed to build the smaller network again.

    `asked` and `achieved` are the removed share of `of` (params, macs or units), in 0..1.
    """

    of: str
    asked: float
    achieved: float
    params_before: int
    params_after: int
    macs_before: int
    macs_after: int
    widths: Widths

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Layer:
    """One prunable layer: `units` alike, each worth `cost` of what is counted."""

    kind: Kind
    stage: int
    block: int
    module: nn.Module
    units: int
    cost: float


def prune_network(
    network: nn.Module, prune: Prune, batches: Batches = (), *, seed: int = 0, loss: Loss | None = None
) -> PruneReport:
    """Take away the asked share, in place; optimizers over the old parameters are then worthless.

    `batches` (normalised images, labels) of the training part serve the criterion taylor; `loss` takes logits and
    labels (default cross entropy). Raises JobError for a network or a share that cannot be pruned.
    """
    model = _check(network, prune)
    params_before, macs_before = count_params(model), sum(_macs(model).values())
    layers = find_layers(model, prune.of)
    total = {"params": params_before, "macs": macs_before, "units": sum(layer.units for layer in layers)}[prune.of]
    drops = plan_drops(layers, prune.ratio, total)
    scores = score_units(model, layers, prune.criterion, batches, seed, loss or F.cross_entropy)
    for layer, drop, score in zip(layers, drops, scores, strict=True):
        keep_units(layer, _best_units(score, layer.units - drop))
    model.widths = _new_widths(model.widths, layers, drops)
    removed = sum(layer.cost * drop for layer, drop in zip(layers, drops, strict=True))
    params_after, macs_after = count_params(model), sum(_macs(model).values())
    counted = {"params": 1 - params_after / params_before, "macs": 1 - macs_after / macs_before}
    achieved = counted.get(prune.of, removed / total)
    return PruneReport(
        prune.of, prune.ratio, achieved, params_before, params_after, macs_before, macs_after, model.widths
    )


def _check(network: nn.Module, prune: Prune) -> TinyViT:
    if not isinstance(network, TinyViT):
        name = type(network).__name__
        fix = "prune a student whose arch is tiny_vit_5m, tiny_vit_11m, tiny_vit_21m or tiny_vit; leave prune away here"
        raise JobError(f"structured pruning knows the units of a tiny_vit only, not those of a {name}", fix=fix)
    if prune.method != "structured":
        raise JobError(f"prune.method {prune.method!r} is not built", fix="use method: structured")
    return network


def find_layers(network: TinyViT, of: str = "params") -> list[Layer]:
    """Return the prunable layers, first block first, with what one unit of each costs in `of`."""
    macs = _macs(network) if of == "macs" else {}
    layers = []
    for name, module in network.named_modules():
        kind, units = _kind_of(module)
        if kind is None:
            continue
        _, stage, _, block, *_ = name.split(".")
        cost = {"units": 1.0, "macs": macs.get(name, 0) / units}.get(of, float(unit_params(module)))
        layers.append(Layer(kind, int(stage), int(block), module, units, cost))
    return layers


def _kind_of(module: nn.Module) -> tuple[Kind | None, int]:
    if isinstance(module, MBConv):
        return "mid", module.conv2.conv.out_channels
    if isinstance(module, WindowAttention):
        return "heads", module.heads
    if isinstance(module, NormMlp):
        return "hidden", module.fc1.out_features
    return None, 0


def unit_params(module: nn.Module) -> int:
    """Return how many parameters go with one unit of a prunable layer."""
    if isinstance(module, MBConv):
        dim, kernel = module.conv1.conv.in_channels, module.conv2.conv.weight[0].numel()
        return dim + 2 + kernel + 2 + module.conv3.conv.out_channels
    if isinstance(module, NormMlp):
        return module.fc1.in_features + 1 + module.fc2.out_features
    assert isinstance(module, WindowAttention)
    per_set = 3 * module.head_dim * (module.qkv.in_features + 1)
    tables = 1 + hasattr(module, "attention_biases_global")
    out = module.head_dim * module.proj.out_features
    return per_set * (1 + hasattr(module, "qkv_global")) + out + tables * module.attention_biases.shape[1]


def plan_drops(layers: Sequence[Layer], ratio: float, total: float) -> list[int]:
    """Return how many units each layer gives up so that their cost is `ratio` of `total`, as nearly as units allow.

    Heads are few and dear: each layer gives the whole heads that fit in the asked share and keeps at least one; the
    narrower units make up the rest. Raises JobError, naming the most that can go, when they cannot.
    """
    wanted = ratio * total
    plans = [_drops_at(layers, step / 2048, ratio) for step in range(2048)]
    costs = [_cost(layers, drops) for drops in plans]
    best = min(range(len(plans)), key=lambda index: abs(costs[index] - wanted))
    if costs[best] < wanted - 0.02 * total:
        most = _cost(layers, _drops_at(layers, 1.0, 1.0)) / total
        plans = [_drops_at(layers, step / 2048, step / 2048) for step in range(2049)]
        best = min(range(len(plans)), key=lambda index: abs(_cost(layers, plans[index]) - wanted))
        if most < ratio - 0.02:
            fix = f"ask for at most {math.floor(most * 100) / 100}"
            raise JobError(f"prune.ratio {ratio}: only {most:.0%} lies in units that can go", fix=fix)
    return plans[best]


def _drops_at(layers: Sequence[Layer], share: float, head_share: float) -> list[int]:
    return [_drop(layer, head_share if layer.kind == "heads" else share) for layer in layers]


def _drop(layer: Layer, share: float) -> int:
    if layer.kind == "heads":
        return min(math.floor(share * layer.units + 1e-9), layer.units - 1)
    step = ROUND_TO if layer.units >= 16 * ROUND_TO else 1
    keep = max(step, round(layer.units * (1 - share) / step) * step)
    return layer.units - min(keep, layer.units)


def _cost(layers: Sequence[Layer], drops: Sequence[int]) -> float:
    return sum(layer.cost * drop for layer, drop in zip(layers, drops, strict=True))


def score_units(
    network: TinyViT, layers: Sequence[Layer], criterion: str, batches: Batches, seed: int, loss: Loss
) -> list[Tensor]:
    """Return a score per unit for each layer; the lowest go first.

    taylor: mean over batches of |sum of w dL/dw over the unit's outgoing weights|, which is the first-order change of
    the loss when the unit goes. l1, l2: norm of the incoming times norm of the outgoing weights. random: the control.
    """
    if criterion == "random":
        generator = torch.Generator().manual_seed(seed)
        return [torch.rand(layer.units, generator=generator) for layer in layers]
    if criterion == "taylor":
        return _taylor_scores(network, layers, batches, loss)
    order = 1 if criterion == "l1" else 2
    with torch.no_grad():
        return [_incoming(layer).norm(order, dim=1) * _outgoing(layer).norm(order, dim=1) for layer in layers]


def _taylor_scores(network: TinyViT, layers: Sequence[Layer], batches: Batches, loss: Loss) -> list[Tensor]:
    """In eval mode, so that batch norm neither moves nor sees the batch; gradients are left as they were."""
    was_training, device = network.training, next(network.parameters()).device
    network.eval()
    weights = [_outgoing_weight(layer) for layer in layers]
    scores = [torch.zeros(layer.units, dtype=torch.float64, device=device) for layer in layers]
    count = 0
    with torch.enable_grad():
        for images, labels in batches:
            value = loss(network(images.to(device)), labels.to(device))
            grads = torch.autograd.grad(value, weights)
            for score, layer, grad in zip(scores, layers, grads, strict=True):
                score += (_outgoing(layer).detach() * _by_unit(layer, grad)).double().sum(1).abs()
            count += 1
    network.train(was_training)
    if count == 0:
        raise JobError("criterion taylor needs training images to take gradients on", fix="use l1, l2 or random")
    return [score / count for score in scores]


def _outgoing_weight(layer: Layer) -> Tensor:
    module = layer.module
    if isinstance(module, MBConv):
        return module.conv3.conv.weight
    if isinstance(module, NormMlp):
        return module.fc2.weight
    assert isinstance(module, WindowAttention)
    return module.proj.weight


def _outgoing(layer: Layer) -> Tensor:
    return _by_unit(layer, _outgoing_weight(layer))


def _by_unit(layer: Layer, weight: Tensor) -> Tensor:
    """View outgoing weights (out, units * d, ...) as (units, the rest)."""
    return weight.flatten(1).view(weight.shape[0], layer.units, -1).transpose(0, 1).flatten(1)


def _incoming(layer: Layer) -> Tensor:
    module = layer.module
    if isinstance(module, MBConv):
        return module.conv1.conv.weight.flatten(1)
    if isinstance(module, NormMlp):
        return module.fc1.weight
    assert isinstance(module, WindowAttention)
    return module.qkv.weight.view(module.heads, -1)


def _best_units(score: Tensor, count: int) -> Tensor:
    """Return the places of the `count` best in their old order; among equals the first stay."""
    return score.sort(descending=True, stable=True).indices[:count].sort().values


def keep_units(layer: Layer, kept: Tensor) -> None:
    """Make the layer smaller, leaving only the units in `kept` (ascending indices)."""
    module = layer.module
    kept = kept.to(_outgoing_weight(layer).device)
    if isinstance(module, MBConv):
        _keep_channels(module, kept)
    elif isinstance(module, NormMlp):
        _keep(module.fc1, "weight", kept, 0)
        _keep(module.fc1, "bias", kept, 0)
        _keep(module.fc2, "weight", kept, 1)
        module.fc1.out_features = module.fc2.in_features = len(kept)
    elif isinstance(module, WindowAttention):
        _keep_heads(module, kept)


def _keep_channels(module: MBConv, kept: Tensor) -> None:
    for conv_norm in (module.conv1, module.conv2):
        _keep(conv_norm.conv, "weight", kept, 0)
        for name in ("weight", "bias", "running_mean", "running_var"):
            _keep(conv_norm.bn, name, kept, 0)
        conv_norm.bn.num_features = conv_norm.conv.out_channels = len(kept)
    _keep(module.conv3.conv, "weight", kept, 1)
    module.conv2.conv.groups = module.conv2.conv.in_channels = module.conv3.conv.in_channels = len(kept)


def _keep_heads(module: WindowAttention, kept: Tensor) -> None:
    """Rows [q | k | v] of one head lie together in a projection set; its columns in `proj` too."""
    within = torch.arange(3 * module.head_dim, device=kept.device)
    rows = (kept[:, None] * 3 * module.head_dim + within).flatten()
    columns = (kept[:, None] * module.head_dim + within[: module.head_dim]).flatten()
    sets = [module.qkv, module.qkv_global] if hasattr(module, "qkv_global") else [module.qkv]
    for linear in sets:
        assert isinstance(linear, nn.Linear)
        _keep(linear, "weight", rows, 0)
        _keep(linear, "bias", rows, 0)
        linear.out_features = len(rows)
    _keep(module.proj, "weight", columns, 1)
    module.proj.in_features = len(columns)
    _keep(module, "attention_biases", kept, 0)
    if isinstance(module, LongformerAttention) and hasattr(module, "attention_biases_global"):
        _keep(module, "attention_biases_global", kept, 0)
    module.heads = len(kept)


def _keep(module: nn.Module, name: str, kept: Tensor, dim: int) -> None:
    """Replace a parameter or buffer by its slices at `kept`."""
    old = getattr(module, name)
    new = old.detach().index_select(dim, kept)
    setattr(module, name, nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new)


def _new_widths(widths: Widths, layers: Sequence[Layer], drops: Sequence[int]) -> Widths:
    stages = {"mid": (widths.mid,), "heads": widths.heads, "hidden": widths.hidden}
    table = {kind: [list(stage) for stage in values] for kind, values in stages.items()}
    for layer, drop in zip(layers, drops, strict=True):
        table[layer.kind][0 if layer.kind == "mid" else layer.stage - 1][layer.block] -= drop
    heads, hidden = (tuple(tuple(stage) for stage in table[kind]) for kind in ("heads", "hidden"))
    return replace(widths, mid=tuple(table["mid"][0]), heads=heads, hidden=hidden)


def _macs(network: TinyViT) -> dict[str, int]:
    """MACs of the modules that are no containers of one another, by name; their sum is the network's."""
    counts = count_macs_by_module(network, network.shape.image_size)
    inner = {name for name, module in network.named_modules() if _kind_of(module)[0]}
    rest = counts[""] - sum(counts.get(name, 0) for name in inner)
    return {name: counts.get(name, 0) for name in inner} | {"": rest}
