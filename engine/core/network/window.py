"""Dense window attention, and what every attention here is made of: takes tokens (W, N, C), gives the same shape.

W windows have N tokens each; h heads have d channels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.core.network import geometry
from engine.core.network.kernels import attend
from engine.core.network.layers import init_linear
from engine.core.network.recompute import norm_linear
from engine.core.network.triton_attention.plan import Geometry
from engine.core.network.triton_path import attend_windows, uses_triton
from engine.spec.patterns import SparseShape


class Heads(NamedTuple):
    """Queries, keys and values of one projection set, each (W, h, N, d)."""

    q: Tensor
    k: Tensor
    v: Tensor


class WindowAttention(nn.Module):
    """TinyViT's dense attention: layer norm, one linear grouped per head as [q | k | v], bias by |dy|, |dx|."""

    offsets: Tensor
    sparse: SparseShape | None

    def __init__(
        self, dim: int, heads: int, head_dim: int, window: int, lean: bool = False, backend: str = "auto"
    ) -> None:
        super().__init__()
        self.heads, self.head_dim, self.window, self.lean = heads, head_dim, window, lean
        self.backend, self.sparse = backend, None
        self.prefers_triton = False  # a job may settle it (backends.py)
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * heads * head_dim)
        self.proj = nn.Linear(heads * head_dim, dim)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window**2))
        # No part of a state dict: timm's weights have none of our tables.
        self.register_buffer("offsets", geometry.offset_index(window), persistent=False)
        init_linear(self.qkv)
        init_linear(self.proj)

    @property
    def scale(self) -> float:
        return float(self.head_dim**-0.5)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Attend within each window. `keep` (W, N) is false for padding tokens, which are then no keys."""
        if uses_triton(self, x):
            return self.proj(attend_windows(self, self._project(x), keep))  # type: ignore[no-any-return]
        heads = self.split_heads(self._project(x))
        bias = self.gather_bias(self.attention_biases, self.offsets)[None]
        if keep is not None:
            bias = bias.masked_fill(~keep[:, None, None, :], -torch.inf)
        return self.join_heads(attend(heads.q, heads.k, heads.v, bias, self.lean and self.training))

    def probabilities(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the softmax weights (W, h, N, N) by the plain formula, whatever computes the output."""
        return self.reference(x, keep)[1]

    def reference(self, x: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute by the plain formula: output (W, N, C) and weights (W, h, N, N)."""
        heads = self.split_heads(self.qkv(self.norm(x)))
        scores = heads.q * self.scale @ heads.k.mT + self.attention_biases[:, self.offsets]
        if keep is not None:
            scores = scores.masked_fill(~keep[:, None, None, :], -torch.inf)
        weights = scores.softmax(-1)
        return self.join_heads(weights @ heads.v), weights

    def even_weights(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the weights (W, 1, N, N) of a row that likes all keys alike: what padding alone makes of them."""
        real = x.new_ones(x.shape[:2]) if keep is None else keep.to(x.dtype)
        return (real / real.sum(-1, keepdim=True))[:, None, None, :].expand(-1, -1, x.shape[1], -1)

    def kernel_geometry(self) -> Geometry:
        """Return who sees whom, as the Triton kernels take it: here every token every other."""
        return Geometry(self.window, self.window, self.heads, -1, 0, 0)

    def split_heads(self, qkv: Tensor) -> Heads:
        """Cut (W, N, 3hd) into (W, h, N, d) thrice; the channels of one head lie together."""
        windows, tokens, _ = qkv.shape
        q, k, v = qkv.view(windows, tokens, self.heads, 3, self.head_dim).permute(3, 0, 2, 1, 4).unbind(0)
        return Heads(q, k, v)

    @staticmethod
    def gather_bias(table: Tensor, index: Tensor) -> Tensor:
        """Look up a bias table (h, entries) at index (...): (h, ...)."""
        return table.index_select(1, index.flatten()).view(table.shape[0], *index.shape)

    def join_heads(self, out: Tensor) -> Tensor:
        return self.proj(out.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _project(self, x: Tensor) -> Tensor:
        if self.lean and self.training:
            return norm_linear(x, self.norm, self.qkv)
        return self.qkv(self.norm(x))  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return f"heads={self.heads}, window={self.window}"
