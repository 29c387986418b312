"""Softmax attention over prepared heads: takes q, k, v and a bias, gives softmax(s q k + bias) v.

The bias holds everything static: the table's entries and minus infinity where a key is not seen. On CUDA the fused
kernel runs, with the backends pinned that are right for a trained bias. On the CPU the fused kernel takes no bias that
learns, so training has its own function here, which keeps q, k, v and the weights (lean: not even those).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine.core.network.recompute import as_given

# pytorch #196678 (NaN gradients at some key lengths) and #191612 (an fp32 mask beside bf16 queries).
SAFE_BACKENDS = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""cuDNN's kernel has been wrong with additive masks (NaN gradients, mixed dtypes); flash takes no mask at all."""


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, lean: bool = False, fused: bool = False) -> Tensor:
    """Return (W, h, n, d) for q (W, h, n, d), k and v (W, h, m, d), bias (W or 1, h, n, m).

    `fused` asks for the fused kernel wherever one exists; else the quickest way for the device is taken.
    """
    learns = torch.is_grad_enabled() and (q.requires_grad or bias.requires_grad)
    if q.is_cuda or fused or not learns:
        return _fused(q, k, v, bias)
    if torch.compiler.is_compiling():
        return _plain(q, k, v, bias.to(q.dtype))
    return _Attend.apply(q, k, v, bias.to(q.dtype), lean)  # type: ignore[no-any-return]


def _fused(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """On the CPU the flash kernel runs when the mask is 4-D and needs no gradient; a mask in q's dtype is safe."""
    if not q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
    with sdpa_kernel(SAFE_BACKENDS):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))


def _plain(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """The same by single operators: a compiler fuses what stands between the products, but not into our functions."""
    with as_given(q):
        scores = (q * q.shape[-1] ** -0.5) @ k.mT + bias
        precise = torch.float64 if q.dtype == torch.float64 else torch.float32
        weights: Tensor = scores.softmax(-1, dtype=precise).to(q.dtype)
        return weights @ v


class Tiling(NamedTuple):
    """How a window of side * tile tokens a side is cut; `lean` keeps the projections instead of weights."""

    side: int
    tile: int
    heads: int
    lean: bool
    fused: bool

    def cut(self, part: Tensor) -> Tensor:
        """View tokens (W, N, h, ..., d) tile by tile, as (W, down, across, h, tile, tile, d)."""
        split = part.view(part.shape[0], self.side, self.tile, self.side, self.tile, *part.shape[2:])
        return split.permute(0, 1, 3, 5, 2, 4, 6)


def attend_tiles(qkv: Tensor, extra: Tensor | None, bias: Tensor, tiling: Tiling) -> Tensor:
    """Let every tile attend to itself and to the extra tokens of its window: (W, N, h * d).

    `qkv` (W, N, 3hd) and `extra` (W, g, 3hd) are projections grouped per head; `bias` is (W or 1, T * h, n, n + g).
    """
    learns = torch.is_grad_enabled() and (qkv.requires_grad or bias.requires_grad)
    if learns and not qkv.is_cuda and not tiling.fused:
        if torch.compiler.is_compiling():
            return _paste(_plain(*_pack(qkv, extra, tiling), bias.to(qkv.dtype)), qkv.shape, tiling)
        return _AttendTiles.apply(qkv, extra, bias.to(qkv.dtype), tiling)  # type: ignore[no-any-return]
    return _paste(_fused(*_pack(qkv, extra, tiling), bias), qkv.shape, tiling)


def _pack(qkv: Tensor, extra: Tensor | None, tiling: Tiling) -> tuple[Tensor, Tensor, Tensor]:
    """Copy projections into q (W, T * h, n, d) and k, v (W, T * h, n + g, d), each value once."""
    windows, heads, size = qkv.shape[0], tiling.heads, tiling.tile**2
    parts = qkv.view(windows, qkv.shape[1], heads, 3, -1).unbind(3)
    q, *kv = (tiling.cut(part) for part in parts)
    packed = [q.reshape(windows, -1, size, q.shape[-1])]
    # The extra tokens are only seen here; their own rows come from elsewhere (fast._global_rows).
    more = [None, None] if extra is None else list(extra.view(windows, -1, heads, 3, q.shape[-1]).unbind(3)[1:])
    packed += [_join_keys(own, far, size) for own, far in zip(kv, more, strict=True)]
    return packed[0], packed[1], packed[2]


def _join_keys(own: Tensor, far: Tensor | None, size: int) -> Tensor:
    """Join cut tokens (W, down, across, h, tile, tile, d) and the extra ones (W, g, h, d): (W, T * h, n + g, d)."""
    windows, down, across, heads, *_, dim = own.shape
    if far is None:
        return own.reshape(windows, -1, size, dim)
    shape = (windows, down * across, heads)
    far = far.transpose(1, 2)[:, None]
    # Autograd has to see the join; where nothing learns, one buffer is filled without a copy of `own`.
    if torch.is_grad_enabled() and own.requires_grad:
        return torch.cat([own.reshape(*shape, size, dim), far.expand(*shape, -1, dim)], 3).flatten(1, 2)
    joined = own.new_empty(*shape, size + far.shape[3], dim)
    joined[:, :, :, :size].view(own.shape).copy_(own)
    joined[:, :, :, size:] = far
    return joined.flatten(1, 2)


def _paste(out: Tensor, shape: torch.Size, tiling: Tiling) -> Tensor:
    """Put tiles (W, T * h, n, d) back in raster order: (W, N, h * d)."""
    side, tile = tiling.side, tiling.tile
    tiles = out.view(shape[0], side, side, tiling.heads, tile, tile, -1)
    return tiles.permute(0, 1, 4, 2, 5, 3, 6).reshape(shape[0], shape[1], -1)


class _AttendTiles(torch.autograd.Function):
    """The whole of a block-pattern attention between two projections, so that nothing is kept twice."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, extra: Tensor | None, bias: Tensor, tiling: Tiling) -> Tensor:
        with as_given(qkv):
            q, k, v = _pack(qkv, extra, tiling)
            weights = _weights(q, k, bias)
            out = _paste(weights @ v, qkv.shape, tiling)
        if tiling.lean:
            ctx.save_for_backward(qkv, extra, bias)
        else:
            ctx.save_for_backward(q, k, v, weights)
        ctx.tiling, ctx.shape, ctx.bias_shape = tiling, qkv.shape, bias.shape
        ctx.extra = 0 if extra is None else extra.shape[1]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        tiling: Tiling = ctx.tiling
        if tiling.lean:
            qkv, extra, bias = ctx.saved_tensors
            q, k, v = _pack(qkv, extra, tiling)
            weights = _weights(q, k, bias)
        else:
            q, k, v, weights = ctx.saved_tensors
        windows, heads, size = ctx.shape[0], tiling.heads, tiling.tile**2
        shape = (windows, ctx.shape[1], heads, q.shape[-1])
        cut = tiling.cut(grad.reshape(shape)).reshape(windows, -1, size, q.shape[-1])
        grads = _backward(q, k, v, weights, cut)
        # Filled part by part, so that no gradient is held twice.
        grad_qkv = grad.new_empty(windows, ctx.shape[1], heads, 3, q.shape[-1])
        for place, part in enumerate(grads[:3]):
            target = tiling.cut(grad_qkv[:, :, :, place])
            target.copy_(part[:, :, :size].view(target.shape))
        grad_extra = _extra_grad(grads, size, tiling) if ctx.extra else None
        # One bias for all windows: its gradient is the sum over them.
        grad_bias = grads[3].sum(0, keepdim=True) if ctx.bias_shape[0] == 1 else grads[3]
        return grad_qkv.view(ctx.shape), grad_extra, grad_bias, None


def _extra_grad(grads: tuple[Tensor, ...], size: int, tiling: Tiling) -> Tensor:
    """Sum what all tiles give back to the extra keys and values: (W, g, 3hd), nothing for their queries."""
    split = (grads[1].shape[0], tiling.side**2, tiling.heads, grads[1].shape[2] - size, -1)
    far = [part[:, :, size:].reshape(split).sum(1) for part in grads[1:3]]
    stacked = torch.stack([torch.zeros_like(far[0]), *far], 3)
    return stacked.transpose(1, 2).flatten(2)


class _Attend(torch.autograd.Function):
    """Scores, softmax in fp32, values; in backward the weights are taken from memory or, lean, computed again."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, lean: bool) -> Tensor:
        # Packed once: each product, here and in backward, would copy them for itself.
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        with as_given(q):
            weights = _weights(q, k, bias)
            out = weights @ v
        ctx.save_for_backward(q, k, v, bias if lean else None, None if lean else weights)
        ctx.bias_shape = bias.shape
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias, weights = ctx.saved_tensors
        if weights is None:
            weights = _weights(q, k, bias)
        grad_q, grad_k, grad_v, grad_scores = _backward(q, k, v, weights, grad.contiguous())
        grad_bias = grad_scores.sum(0, keepdim=True) if ctx.bias_shape[0] == 1 else grad_scores
        return grad_q, grad_k, grad_v, grad_bias, None


def _backward(q: Tensor, k: Tensor, v: Tensor, weights: Tensor, grad: Tensor) -> tuple[Tensor, ...]:
    """Return the gradients of q, k, v and of the scores."""
    scale = q.shape[-1] ** -0.5
    grad_v = weights.mT @ grad
    # One kernel: written out it would make two more tensors as large as the scores.
    grad_scores = torch._softmax_backward_data(grad @ v.mT, weights, -1, weights.dtype)
    return (grad_scores @ k).mul_(scale), (grad_scores.mT @ q).mul_(scale), grad_v, grad_scores


def _weights(q: Tensor, k: Tensor, bias: Tensor) -> Tensor:
    """Return softmax(s q k + bias) with the scale and the bias folded into the product."""
    windows, heads, rows, _ = q.shape
    # Its own copy, which the product writes over: it would copy it once more.
    base = bias.expand(windows, -1, -1, -1).clone(memory_format=torch.contiguous_format).flatten(0, 1)
    scores = base.baddbmm_(q.flatten(0, 1), k.flatten(0, 1).mT, alpha=q.shape[-1] ** -0.5)
    precise = torch.float64 if q.dtype == torch.float64 else torch.float32
    return scores.softmax(-1, dtype=precise).to(q.dtype).view(windows, heads, rows, -1)


# Bands ----------------------------------------------------------------------------------------------------------------


class Far(NamedTuple):
    """Keys that every band sees beside its run: k and v (W, h, g, d) and the bias to them, (W or 1, h, N, g)."""

    k: Tensor
    v: Tensor
    bias: Tensor


Bands = Sequence[tuple[slice, slice]]


def attend_bands(
    q: Tensor, k: Tensor, v: Tensor, near: Tensor, far: Far, bands: Bands, lean: bool = False
) -> Tensor:  # fmt: skip
    """Let the queries of each band attend to its run of keys and to the far ones, in one softmax: (W, N, h, d).

    q, k, v are (W, h, N, d); `near` (h, n) is the bias of each band's queries to its keys, one band after another.
    """
    learns = torch.is_grad_enabled() and (q.requires_grad or near.requires_grad)
    if learns:
        return _AttendBands.apply(q, k, v, near.to(q.dtype), *far._replace(bias=far.bias.to(q.dtype)), bands, lean)  # type: ignore[no-any-return]
    out = q.new_empty(q.shape[0], q.shape[2], q.shape[1], q.shape[3])
    for (queries, keys), bias in zip(bands, _band_biases(near, far.bias, bands), strict=True):
        own = _join_far(k, far.k, keys), _join_far(v, far.v, keys)
        out[:, queries] = _fused(q[:, :, queries], *own, bias).transpose(1, 2)
    return out


def _band_biases(near: Tensor, far: Tensor, bands: Bands) -> Iterator[Tensor]:
    """Yield the bias of each band's queries to its keys and the far ones, (W or 1, h, n, m + g)."""
    first = 0
    for queries, keys in bands:
        shape = (queries.stop - queries.start, keys.stop - keys.start)
        own = near[:, first : first + shape[0] * shape[1]].view(1, -1, *shape)
        first += shape[0] * shape[1]
        yield torch.cat([own.expand(len(far), -1, -1, -1), far[:, :, queries]], 3) if far.shape[3] else own


def _join_far(part: Tensor, far: Tensor, keys: slice) -> Tensor:
    own = part[:, :, keys]
    return torch.cat([own, far], 2) if far.shape[2] else own


class _AttendBands(torch.autograd.Function):
    """Band by band what `_Attend` does for the whole window; lean: the weights are worked out again in backward."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, near: Tensor, far_k: Tensor, far_v: Tensor, far_bias: Tensor,
        bands: Bands, lean: bool,
    ) -> Tensor:  # fmt: skip
        out, kept = q.new_empty(q.shape[0], q.shape[2], q.shape[1], q.shape[3]), []
        with as_given(q):
            for (queries, keys), bias in zip(bands, _band_biases(near, far_bias, bands), strict=True):
                weights = _weights(q[:, :, queries], _join_far(k, far_k, keys), bias)
                out[:, queries] = (weights @ _join_far(v, far_v, keys)).transpose(1, 2)
                kept.append(weights)
        ctx.save_for_backward(q, k, v, far_k, far_v, *([near, far_bias] if lean else kept))
        ctx.bands, ctx.lean, ctx.shapes = bands, lean, (near.shape, far_bias.shape)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, far_k, far_v, *kept = ctx.saved_tensors
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        grad_far_k, grad_far_v = torch.zeros_like(far_k), torch.zeros_like(far_v)
        grad_near, grad_bias = grad.new_empty(ctx.shapes[0]), grad.new_empty(ctx.shapes[1])
        biases, first = _band_biases(kept[0], kept[1], ctx.bands) if ctx.lean else None, 0
        for place, (queries, keys) in enumerate(ctx.bands):
            own_q, own_k, own_v = q[:, :, queries], _join_far(k, far_k, keys), _join_far(v, far_v, keys)
            weights = kept[place] if biases is None else _weights(own_q, own_k, next(biases))
            parts = _backward(own_q, own_k, own_v, weights, grad[:, queries].transpose(1, 2))
            size = keys.stop - keys.start
            grad_q[:, :, queries] = parts[0]
            for whole, far, part in ((grad_k, grad_far_k, parts[1]), (grad_v, grad_far_v, parts[2])):
                whole[:, :, keys] += part[:, :, :size]
                far += part[:, :, size:]
            # One bias for all windows: its gradient is the sum over them.
            scores = parts[3].sum(0, keepdim=True) if len(grad_bias) == 1 else parts[3]
            flat = scores[..., :size].sum(0).flatten(1)
            grad_near[:, first : first + flat.shape[1]] = flat
            grad_bias[:, :, queries] = scores[..., size:]
            first += flat.shape[1]
        return grad_q, grad_k, grad_v, grad_near, grad_far_k, grad_far_v, grad_bias, None, None
