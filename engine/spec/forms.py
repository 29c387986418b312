"""The files that a network can be exported as: takes a format's word or a file's name, gives what is known of it.

What writes and reads them is in engine/core/export; here is what a command must know before it loads torch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError, closest_hint


@dataclass(frozen=True)
class FormWords:
    """A format: how its files end, the packages that it takes, and how those are had."""

    suffix: str
    packages: tuple[str, ...] = ()
    install: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed here."""
        return tuple(name for name in self.packages if importlib.util.find_spec(name) is None)


def form_words(word: str) -> FormWords:
    """Return what is known of a format. Raises DataError for an unknown one, and where its packages are absent."""
    if word not in FORMS:
        raise DataError(f"{word!r} is no format to export to", where="--format", fix=closest_hint(word, FORMS))
    found = FORMS[word]
    if found.missing:
        what = (
            f"{word} needs {' and '.join(found.missing)}, which {'is' if len(found.missing) == 1 else 'are'} not here"
        )
        raise DataError(what, where="--format", fix=found.install)
    return found


def form_of_file(path: Path) -> str | None:
    """Return the format of a file by how its name ends, None for a name that ends otherwise."""
    return next((word for word, form in FORMS.items() if path.name.endswith(form.suffix)), None)


def check_suffix(path: Path, word: str) -> None:
    """Raise DataError for a name by which the file would be read as another format than `word`, or as none."""
    if form_of_file(path) != word:
        ends, other = FORMS[word].suffix, form_of_file(path)
        fix = f"name it *{ends}" + (f", or give --format {other}" if other else "")
        raise DataError(f"a file of the format {word} ends in {ends}", where=str(path), fix=fix)


EDGE = "install them: pip install 'xp-engine[edge]'"
EXECUTORCH = (
    "pip install 'xp-engine[edge]', then pip install --no-deps executorch==1.5.1 tabulate: with its dependencies it "
    "brings coremltools, and perhaps another torch"
)
LITERT = (
    "litert-torch 0.10.0 asks for a torch below 2.15 and does not install beside a newer one: export --format pt2 here "
    "and convert that file in an environment of its own; or take onnx, which runs on the same devices"
)
FORMS: Mapping[str, FormWords] = {
    "safetensors": FormWords(".safetensors"),
    "onnx": FormWords(".onnx", ("onnx", "onnxscript", "onnxruntime"), EDGE),
    "pt2": FormWords(".pt2"),
    "executorch": FormWords(".pte", ("executorch", "tabulate"), EXECUTORCH),
    "litert": FormWords(".tflite", ("litert_torch",), LITERT),
}
UNTIMED: Mapping[str, tuple[str, str]] = {
    "executorch": (
        "its binding for Python (1.5.1) cannot be held to a number of threads",
        "xp export --format executorch, and time the file with ExecuTorch's own runner on the device; or onnxruntime",
    ),
    "litert": ("no file of it is written here", LITERT),
}
"""Runtimes that a person may ask to be timed, why they are not, and what to do."""
