"""What attention kernels must move and multiply: takes a shape, gives bytes, FLOPs and the time bound of a card.

Computed from the sizes, not measured. A byte counts once in each kernel that reads or writes it, however often caches
serve it; the eager path is counted operator by operator (F.scaled_dot_product_attention over copied heads, a gathered
bias, and in backward the bias's gradient of every window, which autograd then sums).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from benchmarks.kernel_builds import Shape
from engine.core.network.triton_attention.plan import Plan


@dataclass(frozen=True)
class Card:
    """The rates of a card: bytes a second of its memory, FLOP a second of bf16 products."""

    name: str
    bytes_per_second: float
    flops_per_second: float


H100 = Card("H100", 3.35e12, 989e12)
A100 = Card("A100", 2.0e12, 312e12)
CARDS = (H100, A100)


@dataclass(frozen=True)
class Work:
    """What one kernel (or a whole pass) moves and multiplies."""

    name: str
    moved: float
    flops: float

    def seconds(self, card: Card) -> float:
        """Return the least time on a card: of memory or of arithmetic, whichever is longer."""
        return max(self.moved / card.bytes_per_second, self.flops / card.flops_per_second)


def kernel_works(shape: Shape, size: int = 2) -> list[Work]:
    """Return the kernels of a forward and a backward pass, with values of `size` bytes."""
    plan = shape.given(torch.bfloat16).plan(shape.geometry)
    heads, dim, count = shape.geometry.heads, plan.dim, plan.globals
    tokens = shape.windows * shape.geometry.window**2
    values = tokens * heads * dim * size  # one of q, k, v, out or a gradient of them
    sums = tokens * heads * 4  # log-sum-exp or delta
    far = tokens * heads * count * 4
    product = _product(plan)
    far_product = 2.0 * tokens * heads * count * dim
    parts = 4.0 * plan.near_shares * heads * plan.row_blocks * plan.slots * plan.blocks.rows * plan.blocks.keys
    far_parts = 4.0 * plan.far_shares * heads * shape.geometry.window**2 if count else 0.0
    works = [
        Work("attend_forward", 4 * values + sums, 2 * (product + far_product)),
        Work("rows_backward", 6 * values + 2 * sums + far, 3 * (product + far_product)),
        Work("keys_backward", 6 * values + 2 * sums, 4 * product),
    ]
    if count:
        kept = 4.0 * shape.windows * count * heads * dim * size
        works.append(Work("globals_backward", 2 * values + 2 * sums + kept, 4 * far_product))
        works.append(Work("sum_far", far + far_parts, 0.0))
    works.insert(len(works) - bool(count), Work("sum_near", 4 * values + 2 * sums + parts, 2 * product))
    works.append(Work("add_up", parts + far_parts, 0.0))
    return works


def _product(plan: Plan) -> float:
    """FLOPs of one product over all pairs of blocks that meet, masked ones included."""
    pairs = plan.regions * plan.visited * plan.blocks.rows * plan.blocks.keys
    return 2.0 * pairs * plan.geometry.heads * plan.dim


def eager_works(shape: Shape, size: int = 2) -> list[Work]:
    """Return what the path without kernels does: forward, backward."""
    geometry = shape.geometry
    heads, dim, window = geometry.heads, 32, geometry.window
    rows = geometry.side**2
    keys = rows + (shape.globals if geometry.side < window else 0)
    regions = shape.windows * (window // geometry.side) ** 2
    values = float(shape.windows * window**2 * heads * dim * size)
    joined = values * keys / rows  # keys or values with the globals beside them
    bias = float(heads * rows * keys * size) * (regions if shape.is_scored else (regions / shape.windows))
    aligned = float(regions * heads * rows * (-(-keys // 16) * 16) * size)
    product = 2.0 * regions * heads * rows * keys * dim
    copies = (values + 2 * joined) * 2 if geometry.side < window else 0.0
    paste = 2 * values if geometry.side < window else 0.0
    # The kernel does not know which keys are masked; where choices differ by window, so does the bias it reads.
    forward = copies + values + 2 * joined + values + 3 * bias + paste
    sums = float(shape.windows * window**2 * heads * 4)
    backward = 2 * values + 2 * joined + values + values + 2 * joined + 2 * sums + bias  # q k v, grad, out; their grads
    backward += 2 * aligned + bias + copies + paste  # the bias's gradient, written, and summed over the windows
    backward += 6 * values  # the gradients of q, k and v, stacked
    return [Work("eager forward", forward + sums, 2 * product), Work("eager backward", backward, 5 * product)]
