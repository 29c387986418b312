"""Every runtime by its word: takes a network or its file, gives what may be called on a batch of images (numpy).

Which packages a runtime's files take is in engine/spec/forms.py; a spec reads the words here without importing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.core.runtimes.onnx_session import Batch, OnnxSession, onnx_operators
from engine.errors import DataError
from engine.spec.forms import FORMS, form_words

if TYPE_CHECKING:  # torch is not for who only runs a file
    from torch import nn


class Opened(Protocol):
    """A network that is ready: fp32 (B, 3, S, S) -> (B, classes)."""

    def __call__(self, images: Batch, /) -> Batch: ...


Operators = Mapping[str, Mapping[str, int]]
"""How often each operator runs in a call, by who runs it."""


@dataclass(frozen=True)
class Runtime:
    """What runs files of a format on the CPU, and the package that is its library.

    `operators` None where it does not tell what it ran.
    """

    form: str
    library: str
    open: Callable[[Path, int], Opened]
    operators: Callable[[Path, Batch], Operators] | None = None


def open_file(word: str, path: Path, threads: int) -> Opened:
    """Return the network of a file. Raises DataError where the runtime is not here, or cannot read the file."""
    runtime = RUNTIMES[word]
    form_words(runtime.form)
    if not path.is_file():
        fix = f"name a file that xp export --format {runtime.form} wrote"
        raise DataError("there is no such file", where=str(path), fix=fix)
    return runtime.open(path, threads)


def write_file(word: str, network: nn.Module, image_size: int, path: Path) -> None:
    """Write a network, which is prepared for it in place, as a file that the runtime opens.

    Raises DataError where the runtime is not here, JobError where its format cannot hold the network.
    """
    from engine.core.export.forms import write_form

    form_words(RUNTIMES[word].form)
    write_form(RUNTIMES[word].form, network, image_size, path, {})


def runtime_of_file(path: Path) -> str | None:
    """Return the runtime that opens a file, by how its name ends; None where none does."""
    words = (word for word, runtime in RUNTIMES.items() if path.name.endswith(FORMS[runtime.form].suffix))
    return next(words, None)


RUNTIMES: Mapping[str, Runtime] = {
    "onnxruntime": Runtime(form="onnx", library="onnxruntime", open=OnnxSession, operators=onnx_operators),
}
