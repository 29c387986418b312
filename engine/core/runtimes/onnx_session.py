"""ONNX Runtime on the CPU: takes a file and a number of threads, gives a session, and which provider ran what of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.inputs.machine import CPU_FILE

Batch = NDArray[np.float32]
PROVIDER = "CPUExecutionProvider"


class OnnxSession:
    """A file that may be called: fp32 (B, 3, S, S) -> the first of its outputs, (B, classes)."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.session = open_session(path, threads)
        self.name: str = self.session.get_inputs()[0].name

    def __call__(self, images: Batch) -> Batch:
        return np.asarray(self.session.run(None, {self.name: images})[0])


def open_session(
    path: Path, threads: int | None = None, *, raw: bytes | None = None, profile: str | None = None
) -> Any:
    """Return the session of a file, or of what `raw` holds in its place. Raises DataError where it cannot be read.

    `profile`: how the name of the file begins into which it writes what it ran.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, profile
    # Threads that spin while they wait take the machine from whoever else is on it.
    options.add_session_config_entry("session.intra_op.allow_spinning", os.environ.get("XP_ORT_SPIN", "0"))
    if sums_run_over(CPU_FILE):
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(raw or str(path), options, providers=[PROVIDER])
    except Exception as error:  # onnxruntime raises classes of its own for each kind of damage
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        fix = "export it again; or copy it again, it may be cut short"
        raise DataError(f"ONNX Runtime cannot read it: {said}", where=str(path), fix=fix) from error


@cache
def sums_run_over(cpuinfo: Path) -> bool:
    """Whether two products of 8 bit are summed in 16 bit here, which is too few: on x86 without VNNI.

    ONNX Runtime then has kernels that are exact. With VNNI they give the same answers and take twice as long.
    """
    try:
        flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):  # another system, or another kind of processor
        return False
    return not {"avx512_vnni", "avx_vnni"} & set(flags.split())


def onnx_operators(path: Path, images: Batch) -> dict[str, dict[str, int]]:
    """Return by provider how often each operator ran in one call, after the runtime had fused what it can."""
    with tempfile.TemporaryDirectory(prefix="xp-operators-") as folder:
        session = open_session(path, 1, profile=str(Path(folder) / "ran"))
        session.run(None, {session.get_inputs()[0].name: images})
        events = json.loads(Path(session.end_profiling()).read_text())
    found: dict[str, Counter[str]] = {}
    for event in events:
        told = event.get("args", {})
        if event.get("cat") == "Node" and "op_name" in told and event["name"].endswith("_kernel_time"):
            found.setdefault(told.get("provider") or PROVIDER, Counter())[told["op_name"]] += 1
    return {provider: dict(sorted(counts.items())) for provider, counts in sorted(found.items())}
