"""Every format that a network is exported to, by its word: takes a network and a path, gives a file, and its answers.

The words, and what must be installed for them, are in engine/spec/forms.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn
from torch.export import ExportedProgram

from engine.core.export.about import Metadata
from engine.core.export.executorch_form import ExecutorchModel, write_executorch
from engine.core.export.onnx_form import OnnxModel, write_onnx
from engine.core.export.pt2_form import Pt2Model, graph_values, write_pt2
from engine.core.export.safetensors_form import SafetensorsModel, layer_values, write_safetensors
from engine.core.export.trace import prepare_network, trace_network
from engine.errors import DataError
from engine.spec.forms import FORMS, form_of_file, form_words

PLAIN = "safetensors"  # of which no graph is made
Values = Iterator[tuple[str, str, Tensor]]


class Opened(Protocol):
    """A file that answers: what it says of itself, its logits, and what it comes to on the way there."""

    texts: Metadata

    def __call__(self, images: Tensor) -> Tensor: ...

    def values(self, images: Tensor) -> Values: ...


@dataclass(frozen=True)
class GraphForm:
    """A format of graphs: the network is traced first; `write` returns the graph as it was written."""

    write: Callable[[ExportedProgram, Path, Metadata], ExportedProgram]
    open: Callable[[Path, int | None], Opened]


@dataclass(frozen=True)
class Written:
    """A file that was written, and how to have what it was written from come to, value by value."""

    path: Path
    values: Callable[[Tensor], Values]


def write_form(word: str, network: nn.Module, image_size: int, path: Path, texts: Metadata) -> Written:
    """Write the network, which is prepared in place, as a file.

    Raises JobError for what the format cannot hold, DataError for a format that is none, or cannot be written here.
    """
    form_words(word)
    if word == PLAIN:
        write_safetensors(prepare_network(network), path, texts)
        return Written(path, lambda images: layer_values(network, images))
    program = _graph_form(word).write(trace_network(network, image_size), path, texts)
    return Written(path, lambda images: graph_values(program, images))


def open_form(path: Path, threads: int | None = None) -> Opened:
    """Return the network of an exported file. Raises DataError for a file that is none, or is damaged."""
    word = form_of_file(path)
    if word is None:
        ends = ", ".join(form.suffix for form in FORMS.values())
        raise DataError(
            "this is no exported network by its name", where=str(path), fix=f"name a file that ends in {ends}"
        )
    form_words(word)
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), fix="name a file that xp export wrote")
    return SafetensorsModel(path, threads) if word == PLAIN else _graph_form(word).open(path, threads)


def _graph_form(word: str) -> GraphForm:
    if word not in GRAPHS:  # its packages are here, and nothing of ours knows them
        raise DataError(f"xp writes and reads no files of {word}", where="--format", fix=FORMS[word].install)
    return GRAPHS[word]


GRAPHS: Mapping[str, GraphForm] = {
    "onnx": GraphForm(write_onnx, OnnxModel),
    "pt2": GraphForm(write_pt2, Pt2Model),
    "executorch": GraphForm(write_executorch, ExecutorchModel),
}
