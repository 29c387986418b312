"""ExecuTorch: takes a network's graph and texts, gives a .pte file lowered to XNNPACK; takes a file, gives its answers.

The format has no place for texts: they stand behind the program, as JSON, with its length and a mark at the very end.
Readers go by the offsets in the program and never look there.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from engine.core.export.about import Metadata
from engine.core.export.trace import first_line
from engine.errors import DataError, JobError

MARK = b"xp.texts"


def write_executorch(program: ExportedProgram, path: Path, texts: Metadata) -> ExportedProgram:
    """Write the graph for XNNPACK; return it. Raises JobError where ExecuTorch cannot lower it."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        try:
            lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
        except Exception as error:  # its passes raise nearly anything
            what = f"ExecuTorch cannot lower the graph: {first_line(error)}"
            raise JobError(what, where="--format executorch", fix="export --format onnx or pt2") from error
    told = json.dumps(dict(texts), sort_keys=True).encode()
    path.write_bytes(bytes(lowered.buffer) + told + len(told).to_bytes(8, "little") + MARK)
    return program


class ExecutorchModel:
    """A file as ExecuTorch's runtime runs it, one image after another where its memory was planned for less."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        raw = path.read_bytes()
        self.texts: Metadata = _texts(raw, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from executorch.runtime import Runtime

            try:
                self.method: Any = Runtime.get().load_program(raw).load_method("forward")
            except Exception as error:  # the runtime's errors are numbers in a RuntimeError
                fix = "export it again; or copy it again, it may be cut short"
                raise DataError(f"ExecuTorch cannot read it: {first_line(error)}", where=str(path), fix=fix) from error

    def __call__(self, images: Tensor) -> Tensor:
        """Take fp32 (B, 3, S, S), return fp32 logits (B, classes)."""
        return torch.cat([self.method.execute([image[None].contiguous()])[0].clone() for image in images])

    def values(self, images: Tensor) -> Iterator[tuple[str, str, Tensor]]:
        """The runtime shows no value inside."""
        yield from ()


def _texts(raw: bytes, path: Path) -> Metadata:
    if not raw.endswith(MARK):
        return {}
    end = len(raw) - len(MARK) - 8
    start = end - int.from_bytes(raw[end : end + 8], "little")
    try:
        told = json.loads(raw[max(0, start) : end])
    except ValueError as error:
        raise DataError("what stands behind its program is damaged", where=str(path), fix="export it again") from error
    return {str(key): str(value) for key, value in told.items()}
