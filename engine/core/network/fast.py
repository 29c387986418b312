"""Attention computed with less work than the reference: takes a module and tokens, gives the same output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from engine.core.network.attention import LongformerAttention


def gather_bias(table: Tensor, index: Tensor) -> Tensor:
    """Look up a bias table (h, entries) at index (...): (h, ...)."""
    return table.index_select(1, index.flatten()).view(table.shape[0], *index.shape)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Return softmax(q k / sqrt(d) + bias) v for (W, h, N, d).

    A fused kernel runs on the CPU only for a 4-D mask that needs no gradient; otherwise plain products are faster.
    """
    if q.is_cuda or not bias.requires_grad:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
    scores = (q * q.shape[-1] ** -0.5) @ k.mT + bias
    out: Tensor = scores.softmax(-1).to(v.dtype) @ v
    return out


def can_run(module: LongformerAttention, keep: Tensor | None, want_received: bool) -> bool:
    return False


def run(module: LongformerAttention, x: Tensor, keep: Tensor | None, chosen: Tensor | None) -> Tensor:
    raise NotImplementedError
