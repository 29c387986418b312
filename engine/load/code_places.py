"""Own code in a spec's layers: takes the merged tree, gives it with whole paths to code, and where such words stand.

A path to code is relative to the file that names it, which after merging is known to the layers alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from engine.load.arms import ArmPlaces
from engine.load.layers import Layers
from engine.load.registered import find_registered
from engine.load.yaml_tree import Path
from engine.spec import Settings, Spec
from engine.spec.architectures import TINY_VITS
from engine.spec.cells import expand_cells
from engine.spec.code_uses import list_uses
from engine.spec.data import SOURCE_WORDS
from engine.spec.distill import LOSS_WORDS
from engine.spec.drawn_code import DrawnCode, drawn_code
from engine.spec.optimizers import OPTIMIZER_WORDS
from engine.spec.own_code import WORDS, CodeKind, read_reference
from engine.spec.registries import REGISTRIES, read_registry

IN_FILE = re.compile(r"(.+):\d+:\d+")


def place_code(layers: Layers) -> None:
    """Make paths to code in the tree absolute; what is no such path stays the very object that it was."""
    layers.tree = _placed(layers.tree, (), layers)


def _placed(value: Any, path: Path, layers: Layers) -> Any:
    if isinstance(value, Mapping):
        return _same_or_new(value, {key: _placed(inner, (*path, key), layers) for key, inner in value.items()})
    if isinstance(value, list):
        made = [_placed(inner, (*path, at), layers) for at, inner in enumerate(value)]
        return value if all(one is other for one, other in zip(made, value, strict=True)) else made
    kind = _kind_at(path) if isinstance(value, str) else None
    if kind is None:
        return value
    found = read_reference(value)
    if found is None and value.isidentifier() and value not in _known_words(kind):
        return find_registered(kind, value) or value
    if found is None or not found.is_file or found.place.startswith(("/", "~")):
        return value
    return f"{os.path.normpath(_folder_of(path, layers).absolute() / found.place)}:{found.name}"


def _same_or_new(value: Mapping[str, Any], made: dict[str, Any]) -> Mapping[str, Any]:
    """CellBuilder knows a section that nobody changed by being the very mapping that it was."""
    return value if all(made[key] is value[key] for key in made) else made


def _kind_at(path: Path) -> CodeKind | None:
    """Return what kind of code may be named at a path, None where none may."""
    words = [part for part in path if isinstance(part, str)]
    if words[:1] == ["search"] and words[-1] == "choice":  # what is drawn stands below its path
        words.pop()
    if words[:1] == ["claims"] or not words:
        return None
    return WORDS.get(words[-1].rpartition(".")[2])


def _known_words(kind: CodeKind) -> Container[str]:
    """The words that are xp's own: nobody is asked for them."""
    known: Mapping[CodeKind, Container[str]] = {
        "network": TINY_VITS, "loss": LOSS_WORDS, "attention": ("window", "longformer"), "source": SOURCE_WORDS,
        "optimizer": OPTIMIZER_WORDS, "criterion": read_registry(*REGISTRIES["criterion"]), "augmentation": (),
    }  # fmt: skip
    return known[kind]


def _folder_of(path: Path, layers: Layers) -> FilePath:
    """The folder of the file that says it; what lies over the files is as if the spec said it."""
    found = IN_FILE.fullmatch(layers.where(path))
    return FilePath(found[1]).parent if found else layers.file.parent


def code_places(spec: Spec, layers: Layers) -> dict[str, str]:
    """Return where words were written that name code, and its options: by their paths, of several arms the first.

    And by path and code, as `student.arch=/lab/nets.py:Net`, as arms and trials name several.
    """
    places = ArmPlaces(layers)
    found: dict[str, str] = {}
    for cell in expand_cells(spec):
        for path, code in _code_words(cell.settings):
            place = places.find(cell.arm, {}, tuple(path.split(".")))
            where = layers.where(place, key=".options." in path)
            found = {path: where, code: where} | found
    for drawn in drawn_code(spec):
        where = layers.where(_axis_place(layers, drawn))
        found = {drawn.path: where, f"{drawn.path}={drawn.value}": where} | found
    return found


def _axis_place(layers: Layers, drawn: DrawnCode) -> Path:
    """Return where a choice stands: among those of its arm, else of all."""
    of_arm: Path = ("search", "arms", drawn.arm, drawn.path, "choice", drawn.at)
    is_of_arm = drawn.path in ((layers.tree.get("search") or {}).get("arms") or {}).get(drawn.arm, ())
    return of_arm if is_of_arm else ("search", "space", drawn.path, "choice", drawn.at)


def _code_words(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the path of each word, and the path with the code that it names."""
    for use in list_uses(settings):
        paths = [use.path, use.options_path, *(f"{use.options_path}.{name}" for name in use.options)]
        yield from ((path, f"{path}={use.reference}") for path in paths)
