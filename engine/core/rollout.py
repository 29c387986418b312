"""Attention rollout: takes a network and images, gives what each token is made of after several blocks, as a map.

Abnar and Zuidema 2020 (Quantifying attention flow in transformers): the weights of a block, mean over heads, and the
identity for the residual, half and half; their product over the blocks. It needs tokens that stay what they are from
block to block. A plain vision transformer has that from end to end, and its map is the row of the class token, or the
mean row where no class token is read. A tiny_vit halves its map between stages: its product is of the blocks of one
stage, the depthwise convolutions between them left out, and divided by what rows that spread themselves evenly over
the keys they see would come to, so that it shows no mask.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.core.explain import TINY, AttentionMaps, MapUndefined, block_inputs, refuse_own_attention, token_weights
from engine.core.network.tiny_vit import Block, TinyViT
from engine.core.vit_attention import is_plain, patch_map, vit_weights


def rollout_maps(network: nn.Module, images: Tensor, stage: int = 2) -> AttentionMaps:
    """Return maps (B, H, W), each summing to 1. Raises MapUndefined where no product of weights means anything."""
    if isinstance(network, TinyViT):
        return _stage_rollout(network, images, stage)
    if not is_plain(network):
        raise MapUndefined(f"rollout needs the attention of one set of tokens, which {type(network).__name__} has not")
    weights = vit_weights(network, images)
    mixed = multiply_blocks([one.mean(1) for one in weights])
    has_class = getattr(network, "global_pool", "") == "token" and int(getattr(network, "num_prefix_tokens", 0)) > 0
    values = mixed[:, 0] if has_class else mixed.mean(1)
    return AttentionMaps(patch_map(network, values), "rollout", f"blocks.0 to {len(weights) - 1}")


def multiply_blocks(weights: list[Tensor]) -> Tensor:
    """Return the product of (A + 1) / 2 over blocks (B, N, N), the first block innermost."""
    product = torch.eye(weights[0].shape[-1], dtype=torch.float64, device=weights[0].device)[None]
    for one in weights:
        own = torch.eye(one.shape[-1], dtype=torch.float64, device=one.device)
        product = (one.double() + own) / 2 @ product
    return product


def _stage_rollout(network: TinyViT, images: Tensor, stage: int) -> AttentionMaps:
    refuse_own_attention(network, stage)
    inputs, side = block_inputs(network, images), network.shape.stages[stage].side
    got, due = list[Tensor](), list[Tensor]()
    for number in range(network.shape.stages[stage].depth):
        name = f"stages.{stage}.blocks.{number}"
        block = network.get_submodule(name)
        assert isinstance(block, Block)
        asked = inputs[f"{name}.attn"]
        for kept, weights in ((got, block.attn.probabilities(*asked)), (due, block.attn.even_weights(*asked))):
            inside = token_weights(block, weights.detach().double(), asked[1]).mean(1)
            kept.append(whole_map_weights(block, inside, images.shape[0], side))
    columns, even = (multiply_blocks(kept).mean(1) for kept in (got, due))
    values = columns / even.clamp_min(TINY)
    values = (values / values.sum(1, keepdim=True)).view(-1, side, side)
    return AttentionMaps(values.float().cpu(), "rollout", f"stages.{stage}")


def whole_map_weights(block: Block, weights: Tensor, batch: int, side: int) -> Tensor:
    """Return the weights of windows (W, N, N) as one matrix over all places of the map, (B, P, P): block-diagonal."""
    places = torch.arange(1.0, side * side + 1, device=weights.device).view(1, side, side, 1)
    cut, keep = block.cut(places)
    where = cut[..., 0].long() - 1  # (windows, N); padding, which is cut as zero, is -1
    if keep is not None:
        where = where.masked_fill(~keep, -1)
    windows = weights.view(batch, len(where), *weights.shape[1:])
    whole = weights.new_zeros(batch, side * side, side * side)
    for number, own in enumerate(where):
        real = (own >= 0).nonzero()[:, 0]
        place = own[real]
        whole[:, place[:, None], place[None, :]] = windows[:, number][:, real[:, None], real[None, :]]
    return whole
