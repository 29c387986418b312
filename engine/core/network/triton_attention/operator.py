"""The kernels as torch operators: take what launch.py takes, give its results, known to autograd and torch.compile.

As operators of their own they are one node of a compiled graph, with shapes for tensors without data; autograd keeps
the input, the output and the log-sum-exp, never the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engine.core.network.triton_attention import launch
from engine.core.network.triton_attention.plan import Geometry

Grads = tuple[Tensor | None, Tensor | None, None, None, Tensor | None, None]


@torch.library.custom_op("xp::window_attention", mutates_args=())
def window_attention(
    qkv: Tensor,
    table: Tensor,
    kind: Tensor | None,
    places: Tensor | None,
    score: Tensor | None,
    geometry: Sequence[int],
) -> tuple[Tensor, Tensor]:
    """Return the output (W, N, hd) and the log-sum-exp (W, h, N); `geometry` holds the fields of a Geometry."""
    return launch.attend(launch.Given(qkv.contiguous(), table, kind, places, score), Geometry(*geometry))


@torch.library.custom_op("xp::window_attention_backward", mutates_args=())
def window_attention_backward(
    grad: Tensor,
    out: Tensor,
    lse: Tensor,
    qkv: Tensor,
    table: Tensor,
    kind: Tensor | None,
    places: Tensor | None,
    score: Tensor | None,
    geometry: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of qkv, of the table and, (W, 0) where there is none, of the score."""
    given = launch.Given(qkv.contiguous(), table, kind, places, score)
    return launch.attend_backward(grad.contiguous(), out, lse, given, Geometry(*geometry))


@window_attention.register_fake
def _shapes(
    qkv: Tensor, table: Tensor, kind: Tensor | None, places: Tensor | None, score: Tensor | None,
    geometry: Sequence[int],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    windows, tokens, width = qkv.shape
    lse = qkv.new_empty((windows, geometry[2], tokens), dtype=torch.float32)
    return qkv.new_empty((windows, tokens, width // 3)), lse


@window_attention_backward.register_fake
def _backward_shapes(
    grad: Tensor, out: Tensor, lse: Tensor, qkv: Tensor, table: Tensor, kind: Tensor | None, places: Tensor | None,
    score: Tensor | None, geometry: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    raised = qkv.new_empty((qkv.shape[0], 0 if score is None else score.shape[1]), dtype=torch.float32)
    grad_qkv = torch.empty_like(qkv, memory_format=torch.contiguous_format)
    return grad_qkv, torch.empty_like(table, dtype=torch.float32), raised


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.geometry = inputs
    ctx.save_for_backward(*output, *tensors)


def _give_back(ctx: Any, grad: Tensor, _: Tensor | None) -> Grads:
    out, lse, qkv, table, kind, places, score = ctx.saved_tensors
    grad_qkv, grad_table, raised = window_attention_backward(
        grad, out, lse, qkv, table, kind, places, score, ctx.geometry
    )
    grad_score = None if score is None else raised.to(score.dtype)
    return grad_qkv, grad_table.to(table.dtype), None, None, grad_score, None


window_attention.register_autograd(_give_back, setup_context=_keep)
