"""Compiles Triton kernels for cards that are not here: takes a kernel, gives the registers and memory that it needs."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

TARGETS = (80, 90, 120)  # A100, H100, the 5090 and its kin


@dataclass(frozen=True)
class Compiled:
    """Registers of a thread, bytes of shared memory of a block, bytes that a thread spills; the code as PTX."""

    registers: int
    shared: int
    spills: int
    ptx: str


def compile_kernel(
    kernel: Any, signature: Mapping[str, str], constants: Mapping[str, Any], target: int, **options: Any
) -> Compiled:
    """Compile for compute capability `target` (90 is 9.0); `signature` gives the types of all but the constants."""
    types = {name: signature.get(name, "constexpr") for name in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=types, constexprs=dict(constants))
    made = triton.compile(source, target=GPUTarget("cuda", target, 32), options=options)
    usage = _read_usage(made.asm["cubin"])
    # What does not fit into registers lies on the stack.
    return Compiled(usage["REG"], made.metadata.shared, usage["STACK"] + usage["LOCAL"], made.asm["ptx"])


def _read_usage(code: bytes) -> dict[str, int]:
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        told = subprocess.run([tool, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True)
    return {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", told.stdout)}
