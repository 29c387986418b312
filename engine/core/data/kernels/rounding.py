"""What the kernels share: rounding as the host does it. Each step is one operation that every device rounds alike."""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

# 1.5 * 2 ** 23: a float of this size has no digits behind the point, so that adding it rounds, to even as torch does.
WHOLE = tl.constexpr(12582912.0)
# No product may be fused with a sum, which would round once less than the host.
EXACT: dict[str, Any] = {"enable_fp_fusion": False}


@triton.jit
def round_even(value):
    """Return fp32 below 2 ** 22 rounded to whole numbers, halves to even."""
    return (value + WHOLE) - WHOLE


@triton.jit
def to_level(value):
    """Return fp32 as a byte's level, int32."""
    return tl.minimum(tl.maximum(round_even(value), 0.0), 255.0).to(tl.int32)


@triton.jit
def luma(red, green, blue):
    """Return the grey of levels in int32, by ITU-R 601 weights in whole numbers."""
    return (299 * red + 587 * green + 114 * blue + 500) // 1000
