"""Longformer attention with less work than the reference: takes a module and tokens, gives the same output.

Rows of ordinary tokens are one softmax with static indices: over the window with a mask, or over a tile and the
globals. Rows of global tokens never project the whole window a second time: with W_k and W_v absorbed,
q W_k meets the tokens themselves, and the attended mean of tokens meets W_v. The key's bias then drops out, because a
softmax does not see a constant added to its row.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engine.core.network.kernels import Far, Tiling, attend, attend_bands, attend_tiles
from engine.core.network.recompute import norm_linear
from engine.core.network.sparse import SparseAttention
from engine.core.network.triton_path import attend_windows, uses_triton

LEAST_BANDED, LEAST_ASKED = 14, 20
"""The smallest windows whose bands save more than smaller products cost, with gradients and without; measured on two
CPU threads. Without, the fused kernel is as fast over a whole window of 14."""


def can_run(module: SparseAttention, x: Tensor, keep: Tensor | None, want_received: bool) -> bool:
    """Say whether the fast path covers the case: joint softmax, nobody asks for weights; padding by kernels only."""
    if module.sparse.combine != "joint" or want_received:
        return False
    return keep is None or uses_triton(module, x)


def run(module: SparseAttention, x: Tensor, chosen: Tensor | None, keep: Tensor | None = None) -> Tensor:
    """Return the module's output for (W, N, C); `keep` (W, N) is false for padding."""
    lean, sparse = module.lean and module.training, module.sparse
    y = x if lean else module.norm(x)
    qkv = norm_linear(x, module.norm, module.qkv) if lean else module.qkv(y)
    if not sparse.has_global_rows:
        ordinary = attend_windows(module, qkv, keep) if uses_triton(module, x) else _ordinary(module, qkv, None, None)
        return module.proj(ordinary)  # type: ignore[no-any-return]
    places, score = module.choose(x, keep, chosen)
    static = chosen is None and module.select.rank is None
    if uses_triton(module, x):
        raised = None if score is None else score.gather(1, places)
        out = attend_windows(module, qkv, keep, module.grid[None] if static else places, raised)
    else:
        out = _ordinary(module, qkv, None if static else places, score)
    rows = _global_rows(module, y, places, static, lean, keep)
    index = places[..., None].expand(-1, -1, out.shape[-1])
    return module.proj(out.scatter(1, index, rows.to(out.dtype)))  # type: ignore[no-any-return]


def _ordinary(module: SparseAttention, qkv: Tensor, places: Tensor | None, score: Tensor | None) -> Tensor:
    """Return (W, N, hd) of ordinary rows; `places` (W, g) where they differ by window, None for the grid."""
    if module.sparse.is_tiled:
        return _tiles(module, qkv, places, score)
    if uses_bands(module, qkv, score):
        return _banded(module, qkv, places)
    return _masked(module, qkv, places, score)


def _masked(module: SparseAttention, qkv: Tensor, places: Tensor | None, score: Tensor | None) -> Tensor:
    """slide and row: dense products, with what is not seen masked out of the bias."""
    heads = module.split_heads(qkv)
    k, v = heads.k, heads.v
    if places is None:
        bias = module.gather_bias(masked_table(module), module.static_index)[None]
        if module.sparse.has_global_keys_only:
            pool = module.pool_weights(None, qkv.dtype)
            k, v = torch.cat([k, pool[:, None] @ k], 2), torch.cat([v, pool[:, None] @ v], 2)
            bias = torch.cat([bias, _cell_bias(module)[None]], -1)
    else:
        is_global = torch.zeros(places.shape[0], module.window**2, dtype=torch.bool, device=qkv.device)
        is_global.scatter_(1, places, True)
        bias = module.gather_bias(module.attention_biases, module.offsets)[None]
        if score is not None:
            bias = bias + (score * is_global)[:, None, None, :].to(bias.dtype)
        bias = bias.masked_fill(~(module.near | is_global[:, None, :])[:, None], -torch.inf)
    out = attend(heads.q, k, v, bias, module.lean and module.training, module.backend == "sdpa")
    return out.transpose(1, 2).flatten(2)


def uses_bands(module: SparseAttention, qkv: Tensor, score: Tensor | None) -> bool:
    """Say whether slide and row are computed band by band: asked for, on the CPU, and where that was measured to win.

    A learned score differs by window and counts for keys in the band too: it stays with the dense products.
    """
    least = LEAST_BANDED if torch.is_grad_enabled() and qkv.requires_grad else LEAST_ASKED
    return module.backend == "bands" and not qkv.is_cuda and module.window >= least and score is None


def _banded(module: SparseAttention, qkv: Tensor, places: Tensor | None) -> Tensor:
    """slide and row: the queries of some rows meet the rows they can see, and the globals that are not near."""
    sparse, heads = module.sparse, module.split_heads(qkv)
    near = module.gather_bias(masked_table(module), module.band_index)
    if places is not None:
        far = pick_tokens(qkv, places)
        bias = module.gather_bias(module.attention_biases, module.offsets[places]).permute(1, 0, 3, 2)
        bias = bias.masked_fill(module.near.mT[places].mT[:, None], -torch.inf)
    elif sparse.has_global_keys_only and sparse.globals > 0:
        far, bias = module.pool_weights(None, qkv.dtype) @ qkv, _cell_bias(module)[None]
    else:
        far, bias = qkv.index_select(1, module.grid), module.gather_bias(masked_table(module), module.far_index)[None]
    more = module.split_heads(far)
    lean = module.lean and module.training
    return attend_bands(*heads, near, Far(more.k, more.v, bias), module.bands, lean).flatten(2)


def _tiles(module: SparseAttention, qkv: Tensor, places: Tensor | None, score: Tensor | None) -> Tensor:
    """Tiled patterns: every tile attends to itself and to the globals of its window that lie outside it."""
    sparse, side = module.sparse, module.window // module.sparse.tile
    extra = None
    if places is None:
        bias = module.gather_bias(masked_table(module), module.static_index).transpose(0, 1)[None]
        if sparse.has_global_keys_only and sparse.globals > 0:
            extra = module.pool_weights(None, qkv.dtype) @ qkv
            bias = torch.cat([bias, _cell_bias(module)[:, module.tiles].transpose(0, 1)[None]], -1)
        elif sparse.globals > 0:
            extra = qkv.index_select(1, module.grid)
    else:
        extra = pick_tokens(qkv, places)
        bias = _bias_with_globals(module, places, score)
    tiling = Tiling(side, sparse.tile, module.heads, module.lean and module.training, module.backend == "sdpa")
    return attend_tiles(qkv, extra, bias.flatten(1, 2), tiling)


def pick_tokens(x: Tensor, places: Tensor) -> Tensor:
    """Return the tokens (W, g, C) at `places`; unlike gather this keeps no copy of x for the backward pass."""
    return x[torch.arange(x.shape[0], device=x.device)[:, None], places]


def masked_table(module: SparseAttention) -> Tensor:
    """Return the bias table with one more entry of -inf, to which `static_index` points for keys that are not seen."""
    table = module.attention_biases
    return torch.cat([table, table.new_full((len(table), 1), -torch.inf)], 1)


def _bias_with_globals(module: SparseAttention, places: Tensor, score: Tensor | None) -> Tensor:
    """Return (W, T, h, n, n + g) for globals that differ by window; the score counts wherever a global is."""
    near = module.gather_bias(module.attention_biases, module.tile_offsets)[None, None]
    far = _far_bias(module, places)
    if score is not None:
        raised = score.gather(1, places).to(far.dtype)
        far = far + raised[:, None, None, None, :]
        # In the table's precision, which under autocast is not the score's: scatter takes one dtype.
        near = near + raised.new_zeros(score.shape).scatter(1, places, raised)[:, module.tiles][:, :, None, None, :]
    return torch.cat([near.expand(*far.shape[:2], -1, -1, -1), far], -1)


def _far_bias(module: SparseAttention, places: Tensor) -> Tensor:
    """Return (W or 1, T, h, n, g): the bias of every tile's tokens to the globals, -inf for those inside the tile."""
    order = module.tiles
    offsets = module.offsets[places][:, :, order].permute(0, 2, 3, 1)
    far = module.gather_bias(module.attention_biases, offsets).permute(1, 2, 0, 3, 4)
    inside = (places[:, None, :, None] == order[None, :, None, :]).any(-1)
    return far.masked_fill(inside[:, :, None, None, :], -torch.inf)


def _cell_bias(module: SparseAttention) -> Tensor:
    """Return (h, N, g): the mean bias over the tokens of a cell."""
    bias = module.gather_bias(module.attention_biases, module.offsets)
    return bias @ module.pool_weights(None, bias.dtype)[0].mT


def _global_rows(
    module: SparseAttention, y: Tensor, places: Tensor, static: bool, lean: bool, keep: Tensor | None
) -> Tensor:
    """Return (W, g, hd): global tokens attend to their whole window with the global projections.

    `y` are normalised tokens; lean ones are still to be normalised, within what is done again in backward.
    """
    linear = module.qkv_global if module.sparse.has_second_set else module.qkv
    rows = module.row_index if static else module.offsets[places]
    table = module.global_table()
    bias = None if table is None else module.gather_bias(table, rows).transpose(0, 1)
    if keep is not None:
        bias = _hide_padding(module.attention_biases.new_zeros(()) if bias is None else bias, places, keep)
    work = _absorbed if is_absorbed(module) else _direct
    if not lean:
        return work(module, y, linear.weight, linear.bias, places, bias)

    def again(x: Tensor, weight: Tensor, shift: Tensor, bias: Tensor | None) -> Tensor:
        return work(module, module.norm(x), weight, shift, places, bias)

    # Nothing random happens inside.
    out: Tensor = checkpoint(again, y, linear.weight, linear.bias, bias, use_reentrant=False, preserve_rng_state=False)
    return out


def _hide_padding(bias: Tensor, places: Tensor, keep: Tensor) -> Tensor:
    """Return (W, h or 1, g, N): minus infinity where a global row meets padding that is not itself."""
    itself = places[:, :, None] == torch.arange(keep.shape[1], device=keep.device)
    seen = keep[:, None, :] | (itself & ~keep.gather(1, places)[:, :, None])
    return torch.where(seen[:, None], bias, -torch.inf)


def is_absorbed(module: SparseAttention) -> bool:
    """Absorbing costs 3 g C^2 + 2 g h N C products, projecting the window 2 N C^2 + g C^2 + 2 g N C."""
    count, tokens, dim = module.sparse.globals, module.window**2, module.qkv.in_features
    absorbed = 3 * count * dim**2 + 2 * count * module.heads * tokens * dim
    return absorbed < 2 * tokens * dim**2 + count * dim**2 + 2 * count * tokens * dim


def _absorbed(
    module: SparseAttention, y: Tensor, weight: Tensor, shift: Tensor, places: Tensor, bias: Tensor | None
) -> Tensor:
    heads, dim = module.heads, module.head_dim
    sets = weight.view(heads, 3, dim, -1)
    shifts = shift.view(heads, 3, dim)
    own = pick_tokens(y, places)
    q = torch.einsum("wgc,hdc->whgd", own, sets[:, 0]) + shifts[:, 0, None]
    probe = torch.einsum("whgd,hdc->whgc", q * module.scale, sets[:, 1]).flatten(1, 2)
    scores = (probe @ y.mT).view(y.shape[0], heads, places.shape[1], -1)
    weights = precise_softmax(scores if bias is None else scores + bias)
    means = (weights.flatten(1, 2) @ y.to(weights.dtype)).view(y.shape[0], heads, places.shape[1], -1)
    out = torch.einsum("whgc,hdc->wghd", means, sets[:, 2]) + shifts[:, 2]
    return out.flatten(2)


def _direct(
    module: SparseAttention, y: Tensor, weight: Tensor, shift: Tensor, places: Tensor, bias: Tensor | None
) -> Tensor:
    heads = module.split_heads(nn.functional.linear(y, weight, shift))
    q = pick_tokens(heads.q.transpose(1, 2), places).transpose(1, 2)
    scores = q * module.scale @ heads.k.mT
    weights = precise_softmax(scores if bias is None else scores + bias)
    return (weights @ heads.v).transpose(1, 2).flatten(2)


def precise_softmax(scores: Tensor) -> Tensor:
    """Softmax over the last axis in at least fp32, in the dtype of the scores."""
    precise = torch.float64 if scores.dtype == torch.float64 else torch.float32
    return scores.softmax(-1, dtype=precise).to(scores.dtype)
