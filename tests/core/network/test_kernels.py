"""Attention over prepared heads is softmax(s q k + bias) v by hand, with its gradients, however it is computed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.core.network import kernels
from engine.core.network.kernels import Tiling, attend, attend_tiles


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


def plain(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    scores = q @ k.mT / math.sqrt(q.shape[-1]) + bias
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True) @ v


def prepared(windows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two heads, 4 queries, 6 keys of 3 channels; `windows` biases, one key hidden from one query."""
    bias = draw(windows, 2, 4, 6)
    bias[:, :, 1, 2] = -math.inf
    parts = [draw(5, 2, 4, 3), draw(5, 2, 6, 3), draw(5, 2, 6, 3, seed=9), bias]
    q, k, v, bias = (part.requires_grad_() for part in parts)
    return q, k, v, bias


@pytest.mark.parametrize("windows", [1, 5])
@pytest.mark.parametrize("lean", [False, True])
def test_learning_attention_has_the_formulas_values_and_gradients(windows: int, lean: bool) -> None:
    parts, weight = prepared(windows), draw(5, 2, 4, 3, seed=3)
    wanted, found = plain(*parts), attend(*parts, lean)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    grads = [torch.autograd.grad((out * weight).sum(), parts) for out in (wanted, found)]
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("windows", "heads", "tokens"), [(16, 4, 49), (4, 5, 196), (1, 2, 25), (3, 1, 25)])
def test_packing_keeps_every_bit(windows: int, heads: int, tokens: int) -> None:
    torch.manual_seed(0)
    projected = torch.randn(windows, tokens, heads * 3 * 32, requires_grad=True)
    q, k, v = projected.view(windows, tokens, heads, 3, 32).permute(3, 0, 2, 1, 4).unbind(0)
    bias, grad = torch.randn(1, heads, tokens, tokens), torch.randn(windows, tokens, heads, 32).transpose(1, 2)
    given, scale = bias.clone(), 32**-0.5
    out = attend(q, k, v, bias)
    found = torch.autograd.grad(out, (q, k, v), grad)
    # Product by product, each from views of the projections as they lie
    base = bias.expand(windows, -1, -1, -1).reshape(-1, tokens, tokens)
    scores = torch.baddbmm(base, q.flatten(0, 1), k.flatten(0, 1).mT, alpha=scale)
    weights = scores.softmax(-1).view(windows, heads, tokens, tokens)
    slopes = torch._softmax_backward_data(grad @ v.mT, weights, -1, weights.dtype)
    wanted = ((slopes @ k) * scale, (slopes.mT @ q) * scale, weights.mT @ grad)
    assert torch.equal(out, weights @ v)
    assert all(torch.equal(own, other) for own, other in zip(found, wanted, strict=True))
    assert torch.equal(bias, given)


@pytest.mark.parametrize("fused", [False, True])
def test_without_gradients_or_asked_for_the_fused_kernel_runs(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v, bias = (part.detach() for part in prepared(1))
    ran, real = [], kernels._fused

    def watch(*parts: Tensor) -> Tensor:
        ran.append(parts)
        return real(*parts)

    monkeypatch.setattr(kernels, "_fused", watch)
    torch.testing.assert_close(attend(q, k, v, bias, fused=fused), plain(q, k, v, bias), rtol=0, atol=1e-12)
    q.requires_grad_()
    torch.testing.assert_close(attend(q, k, v, bias, fused=fused), plain(q, k, v, bias), rtol=0, atol=1e-12)
    assert len(ran) == (2 if fused else 1)


@pytest.mark.parametrize("extra", [0, 2])
@pytest.mark.parametrize("windows", [1, 3])
@pytest.mark.parametrize(("lean", "fused"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("learns", [False, True])
def test_each_tile_attends_to_itself_and_the_extra_tokens(
    extra: int, windows: int, lean: bool, fused: bool, learns: bool
) -> None:
    """Three windows of 4 x 4 tokens in tiles of 2 x 2, two heads of 3 channels, tile by tile and head by head."""
    qkv, bias = draw(3, 16, 18), draw(windows, 4 * 2, 4, 4 + extra)
    far = draw(3, extra, 18) if extra else None
    parts = [part for part in (qkv, far, bias) if part is not None]
    for part in parts:
        part.requires_grad_(learns)
    found = attend_tiles(qkv, far, bias, Tiling(2, 2, 2, lean, fused))
    wanted = torch.zeros(3, 16, 6, dtype=torch.float64)
    for window in range(3):
        for tile in range(4):
            tokens = [(tile // 2 * 2 + row) * 4 + tile % 2 * 2 + column for row in range(2) for column in range(2)]
            for head in range(2):
                q, k, v = qkv.view(3, 16, 2, 3, 3)[window, tokens, head].unbind(1)
                if far is not None:
                    more = far.view(3, extra, 2, 3, 3)[window, :, head]
                    k, v = torch.cat([k, more[:, 1]]), torch.cat([v, more[:, 2]])
                out = plain(q, k, v, bias[window % windows, tile * 2 + head])
                wanted[window, tokens, 3 * head : 3 * head + 3] = out
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    if learns:
        weight = draw(3, 16, 6, seed=5)
        grads = [torch.autograd.grad((out * weight).sum(), parts, allow_unused=True) for out in (wanted, found)]
        for one, other in zip(*grads, strict=True):
            torch.testing.assert_close(other, one, rtol=0, atol=1e-11)


def test_half_precision_is_summed_in_fp32() -> None:
    """Four thousand equal keys: in bf16 sums the weights would not add up to one."""
    q, k = torch.zeros(1, 1, 1, 4, dtype=torch.bfloat16), torch.zeros(1, 1, 4096, 4, dtype=torch.bfloat16)
    q.requires_grad_()
    out = attend(q, k, torch.ones_like(k), torch.zeros(1, 1, 1, 4096))
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out, torch.ones_like(out))
