"""Operators as our ONNX files have them: gives, by torch's operator, the ONNX graph that stands for it.

Those that torch's exporter cannot write itself, and those that it writes in an order which ONNX Runtime does not know:
its optimiser goes by the shape of a graph, and what it does not find it runs operator by operator.
"""

from __future__ import annotations

import math
from typing import Any

import torch

CUBIC = 0.044715  # of the tanh form, Hendrycks and Gimpel (arXiv 1606.08415), section 2


def translations() -> dict[Any, Any]:
    """Return the table that torch's exporter takes beside its own."""
    return {torch.ops.aten.sort.stable: _sort_stable, torch.ops.aten.gelu.default: _gelu}


def _sort_stable(values: Any, stable: bool = False, dim: int = -1, descending: bool = False) -> Any:
    """A stable sort, whole and falling, is a TopK of all, where the lower index of equals comes first by definition."""
    from onnxscript import opset18 as op

    count = op.Gather(op.Shape(values), op.Constant(value_ints=[dim]))
    return op.TopK(values, count, axis=dim, largest=int(descending), sorted=1)


def _gelu(values: Any, approximate: str = "none") -> Any:
    """x (1 + erf(x / sqrt 2)) / 2, or its tanh form, multiplied in the order that ONNX Runtime fuses.

    Run apart, the 23 of a TinyViT take a fifth of its time; as one operator each, an eighth.
    """
    from onnxscript import opset18 as op

    half, one = op.Constant(value_float=0.5), op.Constant(value_float=1.0)
    if approximate == "none":
        erf = op.Erf(op.Div(values, op.Constant(value_float=math.sqrt(2))))
        return op.Mul(op.Mul(values, op.Add(erf, one)), half)
    cube = op.Mul(op.Pow(values, op.Constant(value_float=3.0)), op.Constant(value_float=CUBIC))
    inner = op.Mul(op.Add(values, cube), op.Constant(value_float=math.sqrt(2 / math.pi)))
    return op.Mul(op.Mul(values, half), op.Add(op.Tanh(inner), one))
