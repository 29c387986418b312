"""ONNX: takes a network's graph and texts, gives a file; takes a file, gives what ONNX Runtime answers.

Opset 18 is the oldest that torch's exporter writes without converting, so the most runtimes read it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from engine.core.export.about import Metadata
from engine.core.export.onnx_operators import translations
from engine.core.export.trace import BATCH, INPUT, OUTPUT, first_line
from engine.core.runtimes.onnx_session import open_session
from engine.errors import JobError

OPSET = 18
UNKNOWN = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)', overload='([^']+)'\)>")
SCOPES = "pkg.torch.onnx.name_scopes"  # the only word of the exporter that is kept of a node: its layer
SCOPE = re.compile(r"'([^']*)'")


def write_onnx(program: ExportedProgram, path: Path, texts: Metadata) -> ExportedProgram:
    """Write the graph as ONNX; return it as it was converted, whose nodes have the names of the file's values.

    Raises JobError naming an operator that ONNX does not have.
    """
    import onnx

    with _quiet():
        try:
            made = torch.onnx.export(
                program, (), dynamo=True, opset_version=OPSET, verbose=False, input_names=[INPUT],
                output_names=[OUTPUT], dynamic_shapes=({0: BATCH},), custom_translation_table=translations(),
            )  # fmt: skip
        except Exception as error:  # the exporter has no one kind of error
            raise _refusal(error) from error
        assert made is not None
        model = made.model_proto
    _clean(model)
    onnx.helper.set_model_props(model, dict(sorted(texts.items())))
    path.write_bytes(model.SerializeToString(deterministic=True))
    return made.exported_program  # type: ignore[return-value]  # it is there after an export


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its progress and warns of its own parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refusal(error: Exception) -> JobError:
    found = UNKNOWN.search(str(error)) or next(
        (hit for cause in _causes(error) if (hit := UNKNOWN.search(str(cause)))), None
    )
    fix = "export --format pt2 or safetensors, which hold any operator"
    if found:
        name = f"{found[1].replace('::', '.')}.{found[2]}"
        return JobError(f"ONNX has no operator for {name}", where="--format onnx", fix=fix)
    cause = [error, *_causes(error)][-1]
    return JobError(f"the graph cannot be converted: {first_line(cause)}", where="--format onnx", fix=fix)


def _causes(error: BaseException) -> Iterator[BaseException]:
    while (cause := error.__cause__ or error.__context__) is not None:
        yield cause
        error = cause


def _clean(model: Any) -> None:
    """Keep of each node the layer that it is of; other words of the exporter name files of this machine."""
    for node in model.graph.node:
        kept = [one for one in node.metadata_props if one.key == SCOPES]
        scopes = {one.key: one.value for one in kept}
        del node.metadata_props[:]
        node.doc_string = ""
        for key, value in scopes.items():
            node.metadata_props.add(key=key, value=value)
    del model.graph.metadata_props[:]


class OnnxModel:
    """A file as ONNX Runtime runs it on the CPU."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.path = path
        self.session = open_session(path, threads)
        self.texts: Metadata = dict(self.session.get_modelmeta().custom_metadata_map)

    def __call__(self, images: Tensor) -> Tensor:
        """Take fp32 (B, 3, S, S), return fp32 logits (B, classes)."""
        name = self.session.get_inputs()[0].name
        return torch.from_numpy(np.asarray(self.session.run(None, {name: images.numpy()})[0]))

    def values(self, images: Tensor) -> Iterator[tuple[str, str, Tensor]]:
        """Yield every value inside, in the order of the graph: its name, its layer, and what it is for `images`."""
        import onnx

        model = onnx.load(str(self.path))
        nodes = [(node.output[0], _layer(node)) for node in model.graph.node if node.output and node.output[0]]
        del model.graph.output[:]
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name, _ in nodes)
        session = open_session(self.path, raw=model.SerializeToString())
        found = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        for (name, layer), value in zip(nodes, found, strict=True):
            yield name, layer, torch.from_numpy(np.asarray(value))


def _layer(node: Any) -> str:
    """Return the dotted name of the layer that a node is of, the node's own name where nothing tells."""
    told = next((one.value for one in node.metadata_props if one.key == SCOPES), "")
    names = [name for name in SCOPE.findall(told)[:-1] if name]
    return names[-1] if names else str(node.name)
