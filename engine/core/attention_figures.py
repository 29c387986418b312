"""What attention is like in numbers: takes a network and images, gives entropy, distance and mass on global tokens.

Of the block whose maps are drawn. Entropy: of a query's weights over the most that as many keys as it sees allow (ln
of their number), so 1 is even attention whatever the mask. Distance: between the centres of query and key, weighted
by attention, in pixels of the image. Global mass: the share of ordinary queries' attention that goes to global
tokens, and the same if they spread themselves evenly, which is what the mask alone gives. Means over queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.core.explain import block_inputs, token_weights
from engine.core.network.attention import LongformerAttention
from engine.core.network.tiny_vit import Block, TinyViT
from engine.core.rollout import whole_map_weights
from engine.core.vit_attention import is_plain, vit_weights


@dataclass(frozen=True)
class AttentionFigures:
    """By name, of each image and head: float64 (B, h). `layer`: of which block."""

    layer: str
    values: Mapping[str, Tensor]


def attention_figures(network: nn.Module, images: Tensor, stage: int = 2) -> AttentionFigures | None:
    """Return the figures of normalised images (B, 3, S, S), None for a network whose attention cannot be read."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            if isinstance(network, TinyViT):
                return _of_stage(network, images, stage) if network.shows_attention(stage) else None
            return _of_transformer(network, images) if is_plain(network) else None
    finally:
        network.train(was_training)


def _of_transformer(network: nn.Module, images: Tensor) -> AttentionFigures:
    weights = vit_weights(network, images)
    prefix, side = int(getattr(network, "num_prefix_tokens", 0)), images.shape[-1]
    patches = weights[-1][:, :, prefix:]
    count = torch.full(patches.shape[:3], float(patches.shape[-1]), dtype=torch.float64, device=patches.device)
    among = patches[..., prefix:]
    apart = token_distances(round(among.shape[-1] ** 0.5), side).to(patches.device)
    values = {
        "attention_entropy": _mean_entropy(patches, count, torch.ones_like(count)),
        "attention_distance": (among * apart).sum(-1).mean(-1) / among.sum(-1).mean(-1),
    }
    return AttentionFigures(f"blocks.{len(weights) - 1}", {name: one.cpu() for name, one in values.items()})


def _of_stage(network: TinyViT, images: Tensor, stage: int) -> AttentionFigures:
    place = network.shape.stages[stage]
    name = f"stages.{stage}.blocks.{place.depth - 1}"
    block = network.get_submodule(name)
    assert isinstance(block, Block)
    asked, batch = block_inputs(network, images)[f"{name}.attn"], images.shape[0]
    keep = asked[1]
    weights, even = (one.double() for one in (block.attn.probabilities(*asked), block.attn.even_weights(*asked)))
    real = weights.new_ones(weights.shape[0], 1, weights.shape[2]) if keep is None else keep.double()[:, None]
    real = real.expand(weights.shape[:3])
    seen = (even > 0).sum(-1).double().expand(weights.shape[:3])
    apart = token_distances(place.side, images.shape[-1]).to(weights.device)
    values = {"attention_entropy": _mean_entropy(_joined(weights, batch), _joined(seen, batch), _joined(real, batch))}
    values["attention_distance"] = _stage_distance(block, token_weights(block, weights, keep), batch, apart)
    if isinstance(block.attn, LongformerAttention) and block.attn.sparse.globals > 0:
        values |= _global_mass(block.attn, weights, even, real, asked, batch)
    return AttentionFigures(name, {key: one.cpu() for key, one in values.items()})


def _stage_distance(block: Block, weights: Tensor, batch: int, apart: Tensor) -> Tensor:
    """Return (B, h): the mean over places of how far weights (W, h, N, N) reach over the whole map."""
    side = round(len(apart) ** 0.5)
    heads = [whole_map_weights(block, weights[:, head], batch, side) for head in range(weights.shape[1])]
    return torch.stack([(one * apart).sum(-1).mean(-1) for one in heads], 1)


def _joined(windows: Tensor, batch: int) -> Tensor:
    """Return (W, h, N, ...) with the windows of an image side by side: (B, h, W / B * N, ...)."""
    parts = windows.reshape(batch, -1, *windows.shape[1:])
    return parts.transpose(1, 2).flatten(2, 3)


def _mean_entropy(weights: Tensor, seen: Tensor, real: Tensor) -> Tensor:
    """Return (B, h): the mean over real queries that have a choice of their entropy over the most possible."""
    entropy: Tensor = torch.special.entr(weights).sum(-1)
    counts = real * (seen > 1)
    shares = entropy / seen.clamp_min(2.0).log()
    return (shares * counts).sum(-1) / counts.sum(-1).clamp_min(1.0)


def _global_mass(
    attention: LongformerAttention, weights: Tensor, even: Tensor, real: Tensor, asked: tuple[Tensor, ...], batch: int
) -> dict[str, Tensor]:
    tokens = weights.shape[2]
    ordinary = real.clone()
    if weights.shape[-1] > tokens:  # pooled keys come last, and no row is global
        is_global = weights.new_zeros(weights.shape[0], weights.shape[-1])
        is_global[:, tokens:] = 1.0
    else:
        is_global = weights.new_zeros(weights.shape[0], tokens)
        is_global.scatter_(1, attention.choose(*asked).places, 1.0)
        ordinary *= 1 - is_global[:, None]
    counts, shares = _joined(ordinary, batch), dict[str, Tensor]()
    for name, one in (("global_mass", weights), ("global_mass_even", even)):
        mass = (one.expand_as(weights) * is_global[:, None, None]).sum(-1)
        shares[name] = _share(_joined(mass, batch), counts)
    return shares


def _share(values: Tensor, counts: Tensor) -> Tensor:
    return (values * counts).sum(-1) / counts.sum(-1).clamp_min(1.0)


def token_distances(side: int, pixels: int) -> Tensor:
    """Return (side**2, side**2) float64: how far the centres of a map's places lie apart, in pixels of the image."""
    line = torch.arange(side, dtype=torch.float64) * (pixels / side)
    places = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)
    return torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
