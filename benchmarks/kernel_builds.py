"""Compiles the attention kernels ahead of time, without a GPU: takes a target, gives registers, shared memory, spills.

The compiler is the one that triton brings; `ptxas -v` says what the machine code takes.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor

from engine.core.network.triton_attention.launch import KERNELS, Given, constants
from engine.core.network.triton_attention.plan import Geometry, Plan

TARGETS = (80, 90, 120)
TYPES = {torch.bfloat16: "*bf16", torch.float32: "*fp32"}
SAME_AS_INPUT = ("qkv", "out", "grad", "grad_qkv", "score")
OTHERS = {"kind": "*u8", "places": "*i64"}
NUMBERS = ("kind_step", "place_step", "regions", "windows", "share", "shares", "far_shares")


@dataclass(frozen=True)
class Shape:
    """An attention that networks have: who sees whom, heads of 32 channels, globals, as many windows as 64 images."""

    name: str
    geometry: Geometry
    globals: int
    windows: int
    is_scored: bool = False
    is_padded: bool = False

    def given(self, dtype: torch.dtype, dim: int = 32) -> Given:
        """Return tensors without data of this shape."""
        window, heads = self.geometry.window, self.geometry.heads
        kind = _ghost(self.windows, window**2, dtype=torch.uint8) if self.globals or self.is_padded else None
        places = _ghost(self.windows, self.globals, dtype=torch.int64) if self.globals else None
        score = _ghost(self.windows, self.globals, dtype=dtype) if self.is_scored else None
        return Given(
            _ghost(self.windows, window**2, 3 * heads * dim, dtype=dtype), _ghost(heads, window**2), kind, places, score
        )


def _ghost(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


@dataclass(frozen=True)
class Build:
    """What one kernel takes on one target."""

    kernel: str
    shape: str
    precision: str
    target: int
    registers: int
    shared: int
    spilled: int
    has_atomics: bool


def build_all(shape: Shape, dtype: torch.dtype, target: int, names: list[str] | None = None) -> Iterator[Build]:
    """Compile every kernel that a forward and a backward pass of the shape launches, or those that are named."""
    given = shape.given(dtype)
    plan = given.plan(shape.geometry)
    for name, kernel in KERNELS.items():
        if names is not None and name not in names:
            continue
        if plan.globals or name not in ("globals_backward", "sum_far"):
            yield _build(name, kernel, shape, plan, given, target)


def _build(name: str, kernel: Any, shape: Shape, plan: Plan, given: Given, target: int) -> Build:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    known, dtype = constants(plan, given), given.qkv.dtype
    constexprs = {one: known[one] for one in kernel.arg_names if one in known}
    signature = {one: _type_of(one, dtype, known) for one in kernel.arg_names}
    # As at a launch: memory begins at a multiple of 16 bytes.
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, one in enumerate(kernel.arg_names)
        if signature[one].startswith("*")
    }
    source = ASTSource(fn=kernel, signature=signature, constexprs=constexprs, attrs=aligned)
    options = {"num_warps": plan.blocks.warps_of(name), "num_stages": plan.blocks.stages}
    made = triton.compile(source, target=GPUTarget("cuda", target, 32), options=options)
    registers, spilled = _read_usage(made.asm["ptx"])
    atomics = bool(re.search(r"\b(atom|red)\.", made.asm["ptx"]))
    words = {torch.bfloat16: "bf16", torch.float32: "fp32"}
    return Build(name, shape.name, words[dtype], target, registers, made.metadata.shared, spilled, atomics)


def _type_of(name: str, dtype: torch.dtype, known: dict[str, Any]) -> str:
    if name in known:
        return "constexpr"
    if name in NUMBERS:
        return "i32"
    return TYPES[dtype] if name in SAME_AS_INPUT else OTHERS.get(name, "*fp32")


def _read_usage(ptx: str) -> tuple[int, int]:
    """Return registers a thread, and bytes that did not fit into them."""
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    found = re.search(r"\.target (sm_\w+)", ptx)
    assert found is not None
    # What serves the newest cards lies beside the usual one, where a release brings one.
    newer = tools / "ptxas-blackwell"
    tool = newer if newer.exists() and found.group(1) >= "sm_100" and len(found.group(1)) > 5 else tools / "ptxas"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kernel.ptx").write_text(ptx)
        command = [str(tool), "-v", f"--gpu-name={found.group(1)}", "kernel.ptx", "-o", "kernel.cubin"]
        told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stderr
    spills = [int(number) for number in re.findall(r"(\d+) bytes spill", told)]
    used = re.search(r"Used (\d+) registers", told)
    assert used is not None, told
    return int(used.group(1)), sum(spills)


SHAPES = (
    Shape("dense 7", Geometry(7, 7, 4, -1, 0, 0), 0, 1024),
    Shape("dense 14", Geometry(14, 14, 5, -1, 0, 0), 0, 64),
    Shape("dense 28", Geometry(28, 28, 4, -1, 0, 0), 0, 64),
    Shape("slide 14, 4 globals", Geometry(14, 14, 5, 3, 0, 0), 4, 64, is_scored=True),
    Shape("slide 28, 16 globals", Geometry(28, 28, 4, 3, 0, 0), 16, 64, is_scored=True),
    Shape("block 28, 16 globals", Geometry(28, 7, 4, -1, 0, 0), 16, 64, is_scored=True),
    Shape("slide 32, 16 globals, padding", Geometry(32, 32, 4, 3, 0, 1), 16, 64, is_scored=True, is_padded=True),
)
"""Shapes of TinyViT-5M's stages at 224 px, and the largest window."""
