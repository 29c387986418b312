"""The layers of a spec: takes a file, gives the files it extends merged below it, and where each word was written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from engine.errors import Problem, SpecError, closest_hint
from engine.load.yaml_tree import Document, Path, read_document
from engine.spec import Spec
from engine.spec.cells import Tree, merge_trees

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass
class Layers:
    """The merged tree of a spec and where each of its keys and values came from."""

    file: FilePath
    tree: Tree = field(default_factory=dict)
    keys: dict[Path, str] = field(default_factory=dict)
    values: dict[Path, str] = field(default_factory=dict)
    bases: Mapping[str, str] = field(default_factory=dict)
    over: Mapping[Path, str] = field(default_factory=dict)
    """Where what lies over the files was written: in an overlay, or a --set as it was typed."""
    start: str = ""
    """Where what was not written belongs; by default the beginning of the file."""
    over_keys: Mapping[Path, str] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        self.tree = merge_trees(self.tree, document.tree)
        self.keys |= document.keys
        self.values |= document.values

    def where(self, path: Path, *, key: bool = False) -> str:
        """Return the position of `path`, or of its nearest parent that was written down."""
        marks = self.keys if key else self.values
        for length in range(len(path), 0, -1):
            if path[:length] in self.over:
                over = self.over_keys if key or length < len(path) else self.over
                return over.get(path[:length], self.over[path[:length]])
            if path[:length] in marks:
                return (marks if length == len(path) else self.keys)[path[:length]]
        return self.start or f"{self.file}:1:1"


def read_layers(file: FilePath) -> Layers:
    """Return a spec over all it extends. Raises SpecError where a file is missing, no YAML, or extends itself."""
    return _over_bases(Layers(file), read_document(file))


def python_layers(document: Document, name: str) -> Layers:
    """Return a spec that Python holds over all it extends, files beside the working folder."""
    return _over_bases(Layers(FilePath(name), start=name), document)


def _over_bases(layers: Layers, first: Document) -> Layers:
    for document in reversed(_extends_chain(layers.file, first)):
        layers.add(document)
    return layers


def _extends_chain(file: FilePath, first: Document) -> list[Document]:
    """Return the documents from that of `file` itself to the farthest base."""
    documents, chain, own = [first], [_real_path(file)], _real_path(file.parent)
    _refuse_no_name(documents[0])
    while isinstance(base := documents[-1].tree.get("extends"), str):
        here, target = documents[-1].values[("extends",)], file.parent / base
        chain.append(_real_path(target))
        if chain[-1] in chain[:-1]:
            names = " -> ".join(path.name for path in chain)
            what = f"the files extend each other: {names}"
            raise SpecError([Problem(here, "extends", what, "cut one of these lines")])
        documents.append(_read_base(target, here, is_near=chain[-1].is_relative_to(own)))
        file = target
    return documents


def _refuse_no_name(document: Document) -> None:
    """What was to come from another file would be missed one by one otherwise."""
    base = document.tree.get("extends")
    if base is not None and not isinstance(base, str):
        what, fix = f"{base!r} is no name of a file", "leave `extends` away, or name a file beside this one"
        raise SpecError([Problem(document.values["extends",], "extends", what, fix)])


def _real_path(file: FilePath) -> FilePath:
    return FilePath(os.path.realpath(file))


def _read_base(file: FilePath, mark: str, is_near: bool) -> Document:
    """Read a file that is extended. One that is missing is a mistake of the line that names it, not of the base.

    Of a file that is no spec and does not lie with the specs (`is_near`) nothing is told: whoever wrote the line may
    want to see what is in it.
    """
    if not os.path.isfile(file):  # pathlib raises for a name that is too long
        names = _names_near(file.parent, mark) if is_near and os.path.isdir(file.parent) else []
        fix = closest_hint(file.name, names) if names else "give a path relative to this file"
        raise SpecError([Problem(mark, "extends", f"there is no file {file}", fix)])
    if file.suffix.lower() not in SUFFIXES:
        raise SpecError([Problem(mark, "extends", f"{file} is no spec", f"name a file that ends in {SUFFIXES[0]}")])
    return read_document(file) if is_near else _read_far(file, mark)


def _names_near(folder: FilePath, mark: str) -> list[str]:
    """Return the names of the specs in a folder, but that of the file with the `mark`: it would extend itself."""
    own = _real_path(FilePath(mark.rsplit(":", 2)[0]))
    return [path.name for path in folder.glob("*.y*ml") if path.is_file() and _real_path(path) != own]


def _read_far(file: FilePath, mark: str) -> Document:
    no_spec = Problem(mark, "extends", f"{file} is no spec", f"name another, or see why: xp validate {file}")
    try:
        document = read_document(file)
    except SpecError as error:
        raise SpecError([no_spec]) from error
    if not document.tree.keys() <= Spec.model_fields.keys():
        raise SpecError([no_spec])
    return document
