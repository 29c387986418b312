"""Window attention, dense and Longformer: takes tokens of windows (W, N, C), gives the same shape.

One reference formula (`LongformerAttention.reference`) defines every pattern, selection, projection and combination;
the fast paths of fast.py are held to it. W windows have N tokens each; h heads have d channels; g tokens are global;
s = 1/sqrt(d).

    row i not global:  softmax over near(i) and G of  s q_i k_j + B[|dy|,|dx|]      times v        (local projections)
    row i global:      softmax over the window of     s q'_i k'_j + B'[|dy|,|dx|]   times v'       (global projections)
    combine sum, mean: the near softmax with local projections plus a softmax over G (global rows: over the window)
                       with the global ones, for every row; the mean halves it
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.core.network import fast, geometry
from engine.core.network.kernels import attend
from engine.core.network.layers import init_linear
from engine.core.network.recompute import norm_linear
from engine.spec.shapes import SparseShape


class Heads(NamedTuple):
    """Queries, keys and values of one projection set, each (W, h, N, d)."""

    q: Tensor
    k: Tensor
    v: Tensor


class Attended(NamedTuple):
    """The output (W, N, C) and, where it was wanted, the attention that each token received, (W, N)."""

    out: Tensor
    received: Tensor | None


class Globals(NamedTuple):
    """The chosen tokens: their places (W, g), and the learned score that is added to their logits, (W, N) or None."""

    places: Tensor
    score: Tensor | None


class WindowAttention(nn.Module):
    """TinyViT's dense attention: layer norm, one linear grouped per head as [q | k | v], bias by |dy|, |dx|."""

    offsets: Tensor

    def __init__(self, dim: int, heads: int, head_dim: int, window: int, lean: bool = False) -> None:
        super().__init__()
        self.heads, self.head_dim, self.window, self.lean = heads, head_dim, window, lean
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * heads * head_dim)
        self.proj = nn.Linear(heads * head_dim, dim)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window**2))
        self.register_buffer("offsets", geometry.offset_index(window), persistent=False)
        init_linear(self.qkv)
        init_linear(self.proj)

    @property
    def scale(self) -> float:
        return float(self.head_dim**-0.5)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Attend within each window. `keep` (W, N) is false for padding tokens, which are then no keys."""
        heads = self.split_heads(self._project(x))
        bias = self.gather_bias(self.attention_biases, self.offsets)[None]
        if keep is not None:
            bias = bias.masked_fill(~keep[:, None, None, :], -torch.inf)
        return self.join_heads(attend(heads.q, heads.k, heads.v, bias, self.lean and self.training))

    def probabilities(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the softmax weights (W, h, N, N) by the plain formula, whatever computes the output."""
        heads = self.split_heads(self.qkv(self.norm(x)))
        scores = heads.q * self.scale @ heads.k.mT + self.attention_biases[:, self.offsets]
        if keep is not None:
            scores = scores.masked_fill(~keep[:, None, None, :], -torch.inf)
        return scores.softmax(-1)

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


class LongformerAttention(WindowAttention):
    """Neighbourhood and global tokens inside each window; see the head of this file for the formula."""

    near: Tensor
    grid: Tensor
    order: Tensor
    cells: Tensor
    tiles: Tensor
    tile_offsets: Tensor
    static_index: Tensor
    row_index: Tensor

    def __init__(
        self,
        dim: int,
        heads: int,
        head_dim: int,
        window: int,
        sparse: SparseShape,
        backend: str = "auto",
        lean: bool = False,
    ) -> None:
        super().__init__(dim, heads, head_dim, window, lean)
        self.sparse, self.backend = sparse, backend
        self.register_buffer("near", geometry.near_mask(sparse, window), persistent=False)
        self.register_buffer("grid", geometry.grid_index(window, sparse.globals), persistent=False)
        self.register_buffer("order", geometry.tie_order(window, sparse.globals), persistent=False)
        if sparse.select == "pooled":
            self.register_buffer("cells", geometry.cell_marks(window, sparse.globals), persistent=False)
        if sparse.pattern == "block":
            tiles, tile_offsets = fast.tile_tables(window, sparse.tile)
            self.register_buffer("tiles", tiles, persistent=False)
            self.register_buffer("tile_offsets", tile_offsets, persistent=False)
        self.register_buffer("static_index", fast.static_index(self), persistent=False)
        self.register_buffer("row_index", self.offsets[self.grid][None], persistent=False)
        self._add_parameters(dim)

    def _add_parameters(self, dim: int) -> None:
        """Draw no random numbers: a sparse and a dense network of one seed start from the same weights."""
        if self.sparse.has_second_set:
            self.qkv_global = copy.deepcopy(self.qkv)
        if self.sparse.bias == "separate" and self.sparse.has_global_rows:
            self.attention_biases_global = nn.Parameter(torch.zeros_like(self.attention_biases))
        if self.sparse.select == "learned" and self.sparse.globals > 0:
            self.score = nn.Parameter(torch.zeros(dim))
        self.copy_projections()

    @torch.no_grad()
    def copy_projections(self) -> None:
        """Start the global set as a copy of the local one, as Longformer does."""
        if self.sparse.has_second_set:
            self.qkv_global.weight.copy_(self.qkv.weight)
            self.qkv_global.bias.copy_(self.qkv.bias)
        if hasattr(self, "attention_biases_global"):
            self.attention_biases_global.copy_(self.attention_biases)

    def forward(  # type: ignore[override]
        self, x: Tensor, keep: Tensor | None = None, chosen: Tensor | None = None, want_received: bool = False
    ) -> Attended:
        """Attend within each window. `chosen` (W, g) gives the global tokens instead of `select`."""
        if self.backend != "reference" and fast.can_run(self, keep, want_received):
            return Attended(fast.run(self, x, chosen), None)
        out, weights = self.reference(x, keep, chosen)
        received = self.received(weights.detach(), x, keep, chosen) if want_received else None
        return Attended(out, received)

    def probabilities(self, x: Tensor, keep: Tensor | None = None, chosen: Tensor | None = None) -> Tensor:
        """Return the weights of the reference formula: (W, h, N, N), pooled: (W, h, N, N + g) with cells last."""
        return self.reference(x, keep, chosen)[1]

    def reference(self, x: Tensor, keep: Tensor | None = None, chosen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute by masked dense attention: output (W, N, C) and weights; the oracle for every fast path."""
        y = self.norm(x)
        local = self.split_heads(self.qkv(y))
        scores = local.q * self.scale @ local.k.mT + self.attention_biases[:, self.offsets]
        near = self._see(self.near.expand(x.shape[0], -1, -1), keep)
        if self.sparse.globals == 0:
            weights = _softmax(scores, near)
            return self.join_heads(weights @ local.v), weights
        if self.sparse.select == "pooled":
            out, weights = self._pooled(local, scores, near, keep)
            return self.join_heads(out), weights
        picked = self.choose(x, keep, chosen)
        wide = self.split_heads(self.qkv_global(y)) if self.sparse.has_second_set else local
        wide_scores = wide.q * self.scale @ wide.k.mT + self.wide_bias()
        mix = self._joint if self.sparse.combine == "joint" else self._summed
        out, weights = mix(local, wide, scores, wide_scores, near, picked, keep)
        return self.join_heads(out), weights

    def _joint(
        self, local: Heads, wide: Heads, scores: Tensor, wide_scores: Tensor, near: Tensor, picked: Globals,
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        is_global = _mark(picked.places, near.shape[-1])
        seen = self._see(near | is_global[:, None, :], keep)
        narrow_weights = _softmax(_add_score(scores, picked, is_global), seen)
        whole = self._see(torch.ones_like(near), keep)
        wide_weights = _softmax(wide_scores, whole)
        rows = is_global[:, None, :, None]
        out = torch.where(rows, wide_weights @ wide.v, narrow_weights @ local.v)
        return out, torch.where(rows, wide_weights, narrow_weights)

    def _summed(
        self, local: Heads, wide: Heads, scores: Tensor, wide_scores: Tensor, near: Tensor, picked: Globals,
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        is_global = _mark(picked.places, near.shape[-1])
        seen = is_global[:, None, :] | is_global[:, :, None]
        if keep is not None:
            seen = seen & keep[:, None, :]
        columns = _add_score(wide_scores, picked, is_global)
        wide_scores = torch.where(is_global[:, None, :, None], wide_scores, columns)
        return self._add_paths(_softmax(scores, near), local.v, wide_scores, seen, wide.v)

    def _add_paths(
        self, near_weights: Tensor, near_values: Tensor, scores: Tensor, seen: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sum the two softmaxes; a row whose window has no real global (padding) has only the first."""
        alive = seen.any(-1, keepdim=True)[:, None]
        weights = _softmax(scores, seen | ~alive[:, 0]) * alive
        share = 1.0 / (1.0 + alive.to(weights.dtype)) if self.sparse.combine == "mean" else 1.0
        out = (near_weights @ near_values + weights @ values) * share
        if weights.shape[-1] == near_weights.shape[-1]:
            return out, (near_weights + weights) * share
        return out, torch.cat([near_weights * share, weights * share], -1)

    def _pooled(self, local: Heads, scores: Tensor, near: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        """Add the mean of each grid cell as a key; its logit is the mean of its tokens' logits."""
        pool = self.pool_weights(keep, scores.dtype)
        values = pool[:, None] @ local.v
        cell_scores = scores @ pool[:, None].mT
        seen = (pool.sum(-1) > 0)[:, None, :].expand(near.shape[0], near.shape[1], -1)
        if self.sparse.combine != "joint":
            return self._add_paths(_softmax(scores, near), local.v, cell_scores, seen, values)
        weights = _softmax(torch.cat([scores, cell_scores], -1), torch.cat([near, seen], -1))
        return weights @ torch.cat([local.v, values], -2), weights

    def pool_weights(self, keep: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Return (W or 1, g, N) averaging weights; padding tokens count nothing, a cell of padding is all zero."""
        real = (self.cells[None] if keep is None else self.cells & keep[:, None, :]).to(dtype)
        return real / real.sum(-1, keepdim=True).clamp_min(1.0)

    def wide_bias(self) -> Tensor:
        """Return the bias of the global rows, (h, N, N), or zero for `bias: none`."""
        table = self.wide_table()
        return self.attention_biases.new_zeros(()) if table is None else self.gather_bias(table, self.offsets)

    def wide_table(self) -> Tensor | None:
        """Return the bias table of the global rows, None for `bias: none`."""
        if self.sparse.bias == "none":
            return None
        own: Tensor = getattr(self, "attention_biases_global", self.attention_biases)
        return own

    def choose(self, x: Tensor, keep: Tensor | None = None, chosen: Tensor | None = None) -> Globals:
        """Pick the global tokens of each window; padding is picked only where real tokens run out."""
        select = self.sparse.select
        score = self.norm(x) @ self.score if select == "learned" else None
        if chosen is not None:
            return Globals(chosen, score)
        if select in ("norm", "learned"):
            ranks = x.detach().float().norm(dim=-1) if score is None else score.detach()
            return Globals(self.top_tokens(ranks, keep), score)
        return Globals(self.grid.expand(x.shape[0], -1), score)  # grid, and `previous` in a stage's first block

    def top_tokens(self, ranks: Tensor, keep: Tensor | None) -> Tensor:
        """Return (W, g) indices of the largest; among equals a grid point wins, then the lower number."""
        if keep is not None:
            ranks = ranks.masked_fill(~keep, -torch.inf)
        best = ranks[:, self.order].sort(dim=-1, descending=True, stable=True).indices
        return self.order[best[:, : self.sparse.globals]]

    def received(self, weights: Tensor, x: Tensor, keep: Tensor | None, chosen: Tensor | None) -> Tensor:
        """Return (W, N): attention that a token received, summed over heads, over the number of rows that see it.

        Without the division tokens in the middle of a window would always win: more neighbourhoods reach them.
        """
        seen = self._see(self.near.expand(x.shape[0], -1, -1), keep)
        if self.sparse.has_global_rows:
            is_global = _mark(self.choose(x, keep, chosen).places, seen.shape[-1])
            seen = self._see(seen | is_global[:, None, :] | is_global[:, :, None], keep)
        rows = seen.to(weights.dtype)
        if keep is not None:
            rows = rows * keep[:, :, None]
            weights = weights * keep[:, None, :, None]
        return weights[..., : rows.shape[-1]].sum((1, 2)) / rows.sum(1).clamp_min(1.0)

    def _see(self, seen: Tensor, keep: Tensor | None) -> Tensor:
        """Hide padding keys. A padding query, whose output is dropped, sees itself: no softmax over nothing."""
        if keep is None:
            return seen
        itself = torch.eye(seen.shape[-1], dtype=torch.bool, device=seen.device)
        return (seen & keep[:, None, :]) | (itself & ~keep[:, :, None])

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {self.sparse}, backend={self.backend}"


def _softmax(scores: Tensor, seen: Tensor) -> Tensor:
    """Softmax in at least fp32 over the seen keys; `seen` is (W or 1, N, keys)."""
    wide = scores if scores.dtype == torch.float64 else scores.float()
    return wide.masked_fill(~seen[:, None], -torch.inf).softmax(-1).to(scores.dtype)


def _mark(index: Tensor, tokens: int) -> Tensor:
    """Return (W, N) bool, true at the given places."""
    marks = torch.zeros(index.shape[0], tokens, dtype=torch.bool, device=index.device)
    return marks.scatter(1, index, True)


def _add_score(scores: Tensor, picked: Globals, is_global: Tensor) -> Tensor:
    """Add the learned score to the logits of global keys: what was ranked by it then also learns through it."""
    if picked.score is None:
        return scores
    return scores + (picked.score * is_global)[:, None, None, :].to(scores.dtype)
