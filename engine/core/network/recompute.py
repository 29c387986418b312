"""Layers that keep only their input for the backward pass: the same values and gradients from less memory.

A chain of norm, GELU and convolution (or linear) usually keeps the output of every step. Here only the first input
and the norm's statistics are kept; the elementwise steps are done again in backward, the convolution is not.

Under torch.compile each is its plain operators: the compiler decides by itself what to keep, and cannot see into ours.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

aten = torch.ops.aten


def norm_act_conv(x: Tensor, norm: nn.BatchNorm2d, conv: nn.Conv2d) -> Tensor:
    """Return conv(gelu(norm(x))) in training mode; running statistics move exactly as those of `norm` would."""
    if torch.compiler.is_compiling():
        return conv(F.gelu(norm(x)))  # type: ignore[no-any-return]
    # As the norm does itself, whose forward is not called here.
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    # Outside of the function, so that autograd takes the gradient back to the weight's own precision.
    weight = _autocast(conv.weight, x)
    return _NormActConv.apply(x, norm, norm.weight, norm.bias, conv, weight)  # type: ignore[no-any-return]


def norm_linear(x: Tensor, norm: nn.LayerNorm, linear: nn.Linear) -> Tensor:
    """Return linear(norm(x)) over the last axis."""
    if torch.compiler.is_compiling():
        return linear(norm(x))  # type: ignore[no-any-return]
    weight, bias = _autocast_both(linear, x)
    return _NormLinear.apply(x, norm.weight, norm.bias, weight, bias, norm.eps)  # type: ignore[no-any-return]


def act_linear(x: Tensor, linear: nn.Linear) -> Tensor:
    """Return linear(gelu(x)) over the last axis."""
    if torch.compiler.is_compiling():
        return linear(F.gelu(x))  # type: ignore[no-any-return]
    weight, bias = _autocast_both(linear, x)
    return _ActLinear.apply(x, weight, bias)  # type: ignore[no-any-return]


def _autocast(weight: Tensor, x: Tensor) -> Tensor:
    """Cast as autocast would: inside an autograd function it has no say in backward, so dtypes are settled before."""
    kind = x.device.type
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return weight
    return weight.to(torch.get_autocast_dtype(kind))


def _autocast_both(linear: nn.Linear, x: Tensor) -> tuple[Tensor, Tensor | None]:
    bias: Tensor | None = linear.bias
    return _autocast(linear.weight, x), None if bias is None else _autocast(bias, x)


def as_given(x: Tensor) -> AbstractContextManager[object]:
    """Return a context in which autocast changes nothing; tensors without data know no autocast."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


class _NormActConv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, norm: nn.BatchNorm2d, gain: Tensor, shift: Tensor, conv: nn.Conv2d, weight: Tensor
    ) -> Tensor:
        # Off, because the dtypes were settled before (_autocast).
        with as_given(x):
            mean, var, rate = norm.running_mean, norm.running_var, norm.momentum or 0.0
            y, batch_mean, batch_rstd = aten.native_batch_norm(x, gain, shift, mean, var, True, rate, norm.eps)
            a = F.gelu(y).to(weight.dtype)
            out = F.conv2d(a, weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)
        # Not y and a, which are as large as x: they are worked out again from it.
        ctx.save_for_backward(x, gain, shift, weight, batch_mean, batch_rstd)
        ctx.conv, ctx.eps = conv, norm.eps
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, shift, weight, mean, rstd = ctx.saved_tensors
        conv = ctx.conv
        y = _normalize(x, gain, shift, mean, rstd)
        a = F.gelu(y).to(weight.dtype)
        places = (conv.stride, conv.padding, conv.dilation, False, [0, 0], conv.groups)
        grad_a, grad_weight, _ = aten.convolution_backward(grad, a, weight, None, *places, [True, True, False])
        # Freed at once: these are the largest tensors alive here.
        del a
        grad_y = aten.gelu_backward(grad_a.to(y.dtype), y)
        del y, grad_a
        # None: in training the gradient comes from the batch's statistics, not from the running ones.
        grad_x, grad_gain, grad_shift = aten.native_batch_norm_backward(
            grad_y, x, gain, None, None, mean, rstd, True, ctx.eps, [True, True, True]
        )
        return grad_x, None, grad_gain, grad_shift, None, grad_weight


def _normalize(x: Tensor, gain: Tensor, shift: Tensor, mean: Tensor, rstd: Tensor) -> Tensor:
    """Do batch norm again from the statistics of its batch, as one multiply and one add per value."""
    scale = rstd * gain
    offset = shift - mean * scale
    shape = (1, -1, 1, 1)
    # In the precision of the statistics (fp32), and rounded once.
    return torch.addcmul(offset.view(shape), x.to(scale.dtype), scale.view(shape)).to(x.dtype)


class _NormLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, bias: Tensor | None, eps: float
    ) -> Tensor:
        with as_given(x):
            # As autocast has it: the norm in fp32, the product in bf16.
            y, mean, rstd = aten.native_layer_norm(x.to(gain.dtype), gain.shape, gain, shift, eps)
            out = F.linear(y.to(weight.dtype), weight, bias)
        ctx.save_for_backward(x, gain, shift, weight, mean, rstd)
        ctx.has_bias = bias is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, shift, weight, mean, rstd = ctx.saved_tensors
        precise = x.to(gain.dtype)
        y = torch.addcmul(shift, (precise - mean) * rstd, gain).to(weight.dtype)
        grad_y, grad_weight, grad_bias = _linear_backward(grad, y, weight, ctx.has_bias)
        del y
        grad_x, grad_gain, grad_shift = aten.native_layer_norm_backward(
            grad_y.to(precise.dtype), precise, gain.shape, mean, rstd, gain, shift, [True, True, True]
        )
        return grad_x.to(x.dtype), grad_gain, grad_shift, grad_weight, grad_bias, None


class _ActLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        with as_given(x):
            return F.linear(F.gelu(x).to(weight.dtype), weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad_a, grad_weight, grad_bias = _linear_backward(grad, F.gelu(x).to(weight.dtype), weight, ctx.has_bias)
        return aten.gelu_backward(grad_a.to(x.dtype), x), grad_weight, grad_bias


def _linear_backward(
    grad: Tensor, inputs: Tensor, weight: Tensor, has_bias: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    flat = grad.flatten(0, -2)
    grad_weight = flat.t() @ inputs.flatten(0, -2)
    return grad @ weight, grad_weight, flat.sum(0) if has_bias else None
