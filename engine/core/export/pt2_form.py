"""torch.export's own format: takes a network's graph and texts, gives a file; takes a file, gives its answers."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from engine.core.export.about import Metadata
from engine.core.export.trace import OUTPUT, first_line
from engine.errors import DataError

OWN_OPERATORS = b"quantized_decomposed"  # the namespace of quantised graphs
EXTRA = "xp.json"  # no folder in its name: torch's reader finds it by that alone


def write_pt2(program: ExportedProgram, path: Path, texts: Metadata) -> ExportedProgram:
    """Write the graph; return it. The archive holds its own file name, so it has one that never changes."""
    program.example_inputs = None  # a batch of zeros, which nobody needs
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pt2.") as folder:
        made = Path(folder) / "model.pt2"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(program, made, extra_files={EXTRA: json.dumps(dict(texts), sort_keys=True)})
        os.replace(made, path)
    return program


class Pt2Model:
    """A file as torch runs it."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        extra: dict[str, Any] = {EXTRA: ""}
        try:
            self.program = _load(path, extra)
            told = json.loads(extra[EXTRA] or "{}")
        except Exception as error:  # a reader of archives, which raises nearly anything on damage
            fix = "export it again; or copy it again, it may be cut short"
            raise DataError(f"torch cannot read it: {first_line(error)}", where=str(path), fix=fix) from error
        self.texts: Metadata = {str(key): str(value) for key, value in told.items()}
        self.module = self.program.module()

    def __call__(self, images: Tensor) -> Tensor:
        """Take fp32 (B, 3, S, S), return fp32 logits (B, classes)."""
        with torch.inference_mode():
            return self.module(images)  # type: ignore[no-any-return]

    def values(self, images: Tensor) -> Iterator[tuple[str, str, Tensor]]:
        """Yield every value inside, in the order of the graph: its name, its layer, and what it is for `images`."""
        yield from graph_values(self.program, images)


def _load(path: Path, extra: dict[str, Any]) -> ExportedProgram:
    """Load a program; one that is quantised has operators that torch knows when their module is loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if OWN_OPERATORS in path.read_bytes():  # an archive that nothing compresses
            importlib.import_module("torch.ao.quantization.fx._decomposed")
        return torch.export.load(path, extra_files=extra)


def graph_values(program: ExportedProgram, images: Tensor) -> Iterator[tuple[str, str, Tensor]]:
    """Yield name, layer and value of every node of a graph that gives one tensor; the last has the file's own name."""
    recorder = _Recorder(program)
    with torch.inference_mode():
        recorder.run(images)
    last = program.graph_signature.user_outputs
    for name, layer, value in recorder.found:
        yield OUTPUT if name in last else name, layer, value


class _Recorder(torch.fx.Interpreter):
    """Runs a graph node by node and keeps what each gives."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__(program.module())
        self.found: list[tuple[str, str, Tensor]] = []

    def run_node(self, n: torch.fx.Node) -> Any:
        value = super().run_node(n)
        if n.op == "call_function" and isinstance(value, Tensor):
            # As it is now: the next operator may write over it.
            self.found.append((n.name, _layer(n), value.detach().clone()))
        return value


def _layer(node: torch.fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    name = stack[-1][0] if stack else ""
    return str(name) or node.name
