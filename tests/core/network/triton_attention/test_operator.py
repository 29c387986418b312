"""The kernels are operators: they have shapes without data, and torch.compile keeps one graph."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.core.network.triton_attention import walks
from tests.core.network.triton_attention.interpreter import interpret
from tests.core.network.triton_attention.test_forward import needs_triton


@needs_triton
@pytest.mark.parametrize("globals_", [0, 3])
def test_shapes_are_known_without_data(globals_: int) -> None:
    from engine.core.network.triton_attention.operator import window_attention

    with FakeTensorMode():
        qkv = torch.empty(6, 25, 96, dtype=torch.bfloat16, requires_grad=True)
        table, score = torch.empty(2, 25, requires_grad=True), torch.empty(6, 3, requires_grad=True)
        kind, places = torch.empty(6, 25, dtype=torch.uint8), torch.empty(6, 3, dtype=torch.long)
        far = (kind, places, score) if globals_ else (None, None, None)
        out, lse = window_attention(qkv, table, *far, [5, 5, 2, 1, 0, 0])
        out.sum().backward()
        assert (out.shape, out.dtype, lse.shape, lse.dtype) == ((6, 25, 32), torch.bfloat16, (6, 2, 25), torch.float32)
        assert qkv.grad is not None
        assert table.grad is not None
        assert (qkv.grad.shape, qkv.grad.dtype, table.grad.shape) == (qkv.shape, qkv.dtype, table.shape)
        assert (score.grad is None) is (globals_ == 0)


@pytest.mark.slow
@needs_triton
def test_a_compiled_module_is_one_graph_with_the_same_bits() -> None:
    assert interpret(walks.compiled) == {"forward": 0.0, "gradients": 0.0}
