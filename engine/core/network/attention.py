"""Window attention, dense and Longformer: takes tokens of windows (W, N, C), gives the same shape.

One reference formula (`LongformerAttention.reference`) defines every pattern, selection, projection and combination;
the fast paths of fast.py are held to it. W windows have N tokens each; h heads have d channels; g tokens are global;
s = 1/sqrt(d).

    row i not global:  softmax over near(i) and G of  s q_i k_j + B[|dy|,|dx|]      times v        (local projections)
    row i global:      softmax over the window of     s q'_i k'_j + B'[|dy|,|dx|]   times v'       (global projections)
    combine sum, mean: the near softmax with local projections plus a softmax over G (global rows: over the window)
                       with the global ones, for every row; the mean halves it

Rows of ordinary tokens have kernels of their own on a GPU (triton_attention); rows of global tokens have none: absorbed
into products of g rows they are a few per cent of the work. NATTEN's kernels are no path here: they take no bias.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from engine.core.network import fast
from engine.core.network.sparse import Globals, SparseAttention
from engine.core.network.window import Heads


class Attended(NamedTuple):
    """The output (W, N, C) and, where it was wanted, the attention that each token received, (W, N)."""

    out: Tensor
    received: Tensor | None


class LongformerAttention(SparseAttention):
    """Neighbourhood and global tokens inside each window; see the head of this file for the formula."""

    def forward(  # type: ignore[override]
        self, x: Tensor, keep: Tensor | None = None, chosen: Tensor | None = None, want_received: bool = False
    ) -> Attended:
        """Attend within each window. `chosen` (W, g) gives the global tokens instead of `select`."""
        if self.backend != "reference" and fast.can_run(self, x, keep, want_received):
            return Attended(fast.run(self, x, chosen, keep), None)
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
        if not self.sparse.has_global_rows:
            out, weights = self._mix(local, local, scores, scores, None, keep)
            return self.join_heads(out), weights
        picked = self.choose(x, keep, chosen)
        global_heads = self.split_heads(self.qkv_global(y)) if self.sparse.has_second_set else local
        global_scores = global_heads.q * self.scale @ global_heads.k.mT + self.global_bias()
        out, weights = self._mix(local, global_heads, scores, global_scores, picked, keep)
        return self.join_heads(out), weights

    def even_weights(self, x: Tensor, keep: Tensor | None = None, chosen: Tensor | None = None) -> Tensor:
        """Return the weights of `probabilities` if all logits were equal, (W, 1, N, keys): what the mask alone makes.

        Every row spreads itself evenly over the keys that it sees; the global tokens are those of `probabilities`.
        """
        blank = x.new_zeros(x.shape[0], 1, x.shape[1], 1)
        heads, scores = Heads(blank, blank, blank), blank @ blank.mT
        picked = Globals(self.choose(x, keep, chosen).places, None) if self.sparse.has_global_rows else None
        return self._mix(heads, heads, scores, scores, picked, keep)[1]

    def _mix(
        self, local: Heads, global_heads: Heads, scores: Tensor, global_scores: Tensor, picked: Globals | None,
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Return what every row gets (W, h, N, d) and its weights; `picked` is None where no token is global."""
        near = self._see(self.near.expand(scores.shape[0], -1, -1), keep)
        if picked is not None:
            mix = self._joint if self.sparse.combine == "joint" else self._summed
            return mix(local, global_heads, scores, global_scores, near, picked, keep)
        if self.sparse.globals > 0:
            return self._pooled(local, scores, near, keep)
        weights = _softmax(scores, near)
        return weights @ local.v, weights

    def _joint(
        self, local: Heads, global_heads: Heads, scores: Tensor, global_scores: Tensor, near: Tensor, picked: Globals,
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        is_global = _mark(picked.places, near.shape[-1])
        seen = self._see(near | is_global[:, None, :], keep)
        local_weights = _softmax(_add_score(scores, picked, is_global), seen)
        whole = self._see(torch.ones_like(near), keep)
        global_weights = _softmax(global_scores, whole)
        rows = is_global[:, None, :, None]
        out = torch.where(rows, global_weights @ global_heads.v, local_weights @ local.v)
        return out, torch.where(rows, global_weights, local_weights)

    def _summed(
        self, local: Heads, global_heads: Heads, scores: Tensor, global_scores: Tensor, near: Tensor, picked: Globals,
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        is_global = _mark(picked.places, near.shape[-1])
        seen = is_global[:, None, :] | is_global[:, :, None]
        if keep is not None:
            seen = seen & keep[:, None, :]
        columns = _add_score(global_scores, picked, is_global)
        global_scores = torch.where(is_global[:, None, :, None], global_scores, columns)
        return self._add_paths(_softmax(scores, near), local.v, global_scores, seen, global_heads.v)

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


def _softmax(scores: Tensor, seen: Tensor) -> Tensor:
    """Softmax in at least fp32 over the seen keys; `seen` is (W or 1, N, keys)."""
    precise = scores if scores.dtype == torch.float64 else scores.float()
    return precise.masked_fill(~seen[:, None], -torch.inf).softmax(-1).to(scores.dtype)


def _mark(index: Tensor, tokens: int) -> Tensor:
    """Return (W, N) bool, true at the given places."""
    marks = torch.zeros(index.shape[0], tokens, dtype=torch.bool, device=index.device)
    return marks.scatter(1, index, True)


def _add_score(scores: Tensor, picked: Globals, is_global: Tensor) -> Tensor:
    """Add the learned score to the logits of global keys: what was ranked by it then also learns through it."""
    if picked.score is None:
        return scores
    return scores + (picked.score * is_global)[:, None, None, :].to(scores.dtype)
