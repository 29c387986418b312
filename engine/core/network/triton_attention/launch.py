"""Launches the kernels: takes tensors and a plan, gives the output, and in backward all gradients.

`qkv` (W, N, 3hd) is grouped per head as [q | k | v]; `table` (h, N) is the bias by |dy|, |dx|; `kind` (W or 1, N) uint8
marks globals (1) and padding (2); `places` (W or 1, g) are the globals, `score` (W, g) what is added to their logits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.core.network.triton_attention.backward import globals_backward, keys_backward, rows_backward
from engine.core.network.triton_attention.bias import add_up, sum_far, sum_near
from engine.core.network.triton_attention.forward import attend_forward
from engine.core.network.triton_attention.plan import BINS, Geometry, Plan, choose_blocks, power_above


class Given(NamedTuple):
    """What an attention is worked out from."""

    qkv: Tensor
    table: Tensor
    kind: Tensor | None
    places: Tensor | None
    score: Tensor | None

    def plan(self, geometry: Geometry) -> Plan:
        dim = self.qkv.shape[2] // (3 * geometry.heads)
        count = 0 if self.places is None else self.places.shape[1]
        return Plan(geometry, self.qkv.shape[0], dim, count, choose_blocks(geometry, self.qkv.dtype == torch.float32))

    def pointers(self) -> dict[str, Any]:
        """Return the tensors by the names of the kernels; one that is absent is not read, whatever stands there."""
        absent = self.qkv
        return {
            "qkv": self.qkv,
            "table": self.table,
            "kind": absent if self.kind is None else self.kind,
            "places": absent if self.places is None else self.places,
            "score": absent if self.score is None else self.score,
            "kind_step": _step(self.kind),
            "place_step": _step(self.places),
        }


def _step(part: Tensor | None) -> int:
    """Return how far one window's entries lie from the next one's: 0 where all windows share them."""
    return 0 if part is None or part.shape[0] == 1 else part.shape[1]


def constants(plan: Plan, given: Given) -> dict[str, Any]:
    """Return the constants of all kernels by name."""
    geometry = plan.geometry
    return {
        "WINDOW": geometry.window, "SIDE": geometry.side, "HEADS": geometry.heads, "REACH": geometry.reach,
        "RASTER": bool(geometry.raster), "ITSELF": bool(geometry.itself), "DIM": plan.dim,
        "BLOCK_D": power_above(plan.dim), "GLOBALS": plan.globals, "BLOCK_G": power_above(plan.globals),
        "HAS_KIND": given.kind is not None, "HAS_SCORE": given.score is not None, "BLOCK_M": plan.blocks.rows,
        "BLOCK_N": plan.blocks.keys, "SLOTS": plan.slots, "SCALE": plan.dim**-0.5, "PRECISION": precision(given.qkv),
        "BLOCK_E": BINS, "BLOCK_R": BINS,
    }  # fmt: skip


def precision(qkv: Tensor) -> str:
    """Return how products of fp32 are made: rounded to TF32 only where the job says so."""
    is_rounded = qkv.is_cuda and qkv.dtype == torch.float32 and torch.backends.cuda.matmul.allow_tf32
    return "tf32" if is_rounded else "ieee"


def start(kernel: Any, programs: int, plan: Plan, names: dict[str, Any]) -> None:
    """Launch a kernel with those of `names` that it takes."""
    taken = {name: names[name] for name in kernel.arg_names}
    kernel[(programs,)](**taken, num_warps=plan.blocks.warps_of(kernel.__name__), num_stages=plan.blocks.stages)


def attend(given: Given, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Return the output (W, N, hd) and the base-2 log-sum-exp (W, h, N) of each row."""
    plan = given.plan(geometry)
    windows, tokens = given.qkv.shape[:2]
    out = given.qkv.new_empty(windows, tokens, geometry.heads * plan.dim)
    lse = given.qkv.new_empty(windows, geometry.heads, tokens, dtype=torch.float32)
    names = constants(plan, given) | given.pointers() | {"out": out, "lse": lse}
    start(attend_forward, plan.regions * plan.row_blocks * geometry.heads, plan, names)
    return out, lse


def attend_backward(
    grad: Tensor, out: Tensor, lse: Tensor, given: Given, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of qkv, of the table (fp32) and of the score (W, g) fp32 (g = 0: there is none)."""
    plan = given.plan(geometry)
    tokens, heads, count = geometry.window**2, geometry.heads, plan.globals
    grad_qkv = torch.empty_like(given.qkv)
    score_heads = _floats(grad, plan.windows, heads, count if given.score is not None else 0)
    names = constants(plan, given) | given.pointers()
    names |= {"grad": grad, "out": out, "lse": lse, "grad_qkv": grad_qkv, "delta": torch.empty_like(lse)}
    names |= {"grad_far": _floats(grad, plan.windows, heads, tokens, count), "grad_score": score_heads}
    start(rows_backward, plan.regions * plan.row_blocks * heads, plan, names)
    key_blocks = -(-plan.tokens // plan.blocks.keys)
    start(keys_backward, plan.regions * key_blocks * heads, plan, names)
    if count:
        start(globals_backward, plan.windows * heads, plan, names)
    return grad_qkv, _table_gradient(plan, names), score_heads.sum(1)


def _floats(beside: Tensor, *shape: int) -> Tensor:
    """Return memory of fp32 on the device of another tensor."""
    return beside.new_empty(shape, dtype=torch.float32)


def _table_gradient(plan: Plan, names: dict[str, Any]) -> Tensor:
    """Sum over regions in shares, then over shares: the same order in each run."""
    heads, entries, blocks = plan.geometry.heads, plan.geometry.window**2, plan.blocks
    grad: Tensor = names["grad"]
    parts = _floats(grad, plan.near_shares, heads, plan.row_blocks, plan.slots, blocks.rows, blocks.keys)
    near = {"parts": parts, "regions": plan.regions, "share": plan.near_share}
    programs = plan.near_shares * heads * plan.row_blocks * plan.slots
    start(sum_near, programs, plan, names | near)
    far_parts = _floats(grad, plan.far_shares, heads, entries if plan.globals else 0)
    if plan.globals:
        far = {"far_parts": far_parts, "windows": plan.windows, "share": plan.far_share}
        start(sum_far, plan.far_shares * heads * -(-entries // BINS), plan, names | far)
    found = _floats(grad, heads, entries)
    shares = {"shares": plan.near_shares, "far_shares": plan.far_shares, "far_parts": far_parts, "grad_table": found}
    start(add_up, heads * entries, plan, names | near | shares)
    return found


KERNELS: dict[str, Any] = {
    "attend_forward": attend_forward,
    "rows_backward": rows_backward,
    "keys_backward": keys_backward,
    "globals_backward": globals_backward,
    "sum_near": sum_near,
    "sum_far": sum_far,
    "add_up": add_up,
}
"""All kernels by name; the fourth and the sixth run where there are globals."""
