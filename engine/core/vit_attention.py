"""The attention of timm's plain vision transformers: takes a network and images, gives the weights of its blocks.

The weights are worked out again from what each block's attention was given, softmax(q k / sqrt(d)), so the network's
own way to compute its output, which may be fused, stays as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.models.vision_transformer import Attention, VisionTransformer
from torch import Tensor, nn

from engine.core.explain import TINY, AttentionMaps, MapUndefined, record_inputs


def is_plain(network: nn.Module) -> bool:
    """Whether all of a network's blocks attend globally, in the one way that is worked out here."""
    return isinstance(network, VisionTransformer) and all(
        type(getattr(block, "attn", None)) is Attention for block in network.blocks
    )


def vit_weights(network: nn.Module, images: Tensor) -> list[Tensor]:
    """Return the softmax weights of each block, (B, h, N, N), prefix tokens first. Raises MapUndefined for others."""
    if not is_plain(network):
        raise MapUndefined(f"xp cannot read the attention of {type(network).__name__}")
    blocks: Any = network.blocks
    modules = {f"blocks.{number}.attn": block.attn for number, block in enumerate(blocks)}
    given = record_inputs(network, images, modules)
    with torch.no_grad():
        return [_weights(attention, given[name][0]) for name, attention in modules.items()]


def _weights(attention: Attention, tokens: Tensor) -> Tensor:
    batch, count, _ = tokens.shape
    cut = attention.qkv(tokens).view(batch, count, 3, attention.num_heads, attention.head_dim)
    q, k, _ = cut.permute(2, 0, 3, 1, 4).unbind(0)
    scores: Tensor = attention.q_norm(q) * attention.scale @ attention.k_norm(k).mT
    return scores.double().softmax(-1)


def patch_map(network: nn.Module, values: Tensor) -> Tensor:
    """Return the tokens' values (B, N) of a transformer as maps (B, H, W) of its patches, each summing to 1."""
    embed: Any = network.patch_embed
    down, across = embed.grid_size
    kept = values[:, int(getattr(network, "num_prefix_tokens", 0)) :]
    return (kept / kept.sum(1, keepdim=True).clamp_min(TINY)).view(-1, down, across).float().cpu()


def vit_received(network: nn.Module, images: Tensor) -> AttentionMaps:
    """Return what each patch receives in the last block, mean over heads and queries: every token sees every other."""
    weights = vit_weights(network, images)
    values = patch_map(network, weights[-1].mean((1, 2)))
    return AttentionMaps(values, "received_attention", f"blocks.{len(weights) - 1}")
