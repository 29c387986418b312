"""A spec written in Python: takes a mapping, which may hold models of a spec, gives a Document as a file does.

Positions are Python's own: `spec["student"]["arch"]`. What no file could say is refused here; all else is checked as
the words of a file are, so that both give the same spec, ids and errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from pydantic import BaseModel

from engine.errors import Problem, SpecError
from engine.home.limits import limits, raise_limit
from engine.load.yaml_tree import Document, Path
from store.escape import find_unprintable

NAME = "spec"
DEEPEST = 100  # levels: what holds itself has no end
PLAIN = (bool, int, float, str)


def read_mapping(words: Mapping[str, Any] | BaseModel) -> Document:
    """Return a spec as a plain tree with its places. Raises SpecError for what a spec cannot hold."""
    reader = _Reader(Document({}))
    reader.document.tree.update(reader.mapping(_as_mapping(words), ()))
    return reader.document


def place_text(path: Path) -> str:
    """Return where a word stands, as Python writes it."""
    return NAME + "".join(f"[{key}]" if isinstance(key, int) else f'["{key}"]' for key in path)


def _as_mapping(words: Mapping[str, Any] | BaseModel) -> Mapping[str, Any]:
    # Without what was not said: defaults of a base would be taken for words of an arm.
    return words.model_dump(exclude_unset=True, by_alias=True) if isinstance(words, BaseModel) else words


class _Reader:
    """Makes plain values of Python's, and writes down where each stands."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def mapping(self, words: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        plain = {}
        for key, value in words.items():
            if not isinstance(key, str):
                raise _refusal(path, f"a key is a word, and {key!r} is none", f'write "{key}"')
            _check_text(key, path)
            plain[key] = self._child(value, (*path, key))
        return plain

    def _child(self, value: Any, path: Path) -> Any:
        self.document.keys[path] = self.document.values[path] = place_text(path)
        if len(path) > DEEPEST:
            raise _refusal(path[:3], f"more than {DEEPEST} levels", "does it hold itself?")
        if isinstance(value, Mapping | BaseModel):
            return self.mapping(_as_mapping(value), path)
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return [self._child(item, (*path, place)) for place, item in enumerate(value)]
        return _plain_value(value, path)


def _plain_value(value: Any, path: Path) -> Any:
    if isinstance(value, PathLike):
        value = fspath(value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a number of NumPy's
        value = value.item()
    if value is not None and type(value) not in PLAIN:
        fix = "write a number, a text, True, False, None, a list or a mapping"
        raise _refusal(path, f"a spec holds no {type(value).__name__}", fix)
    if isinstance(value, str):
        _check_text(value, path)
    return value


def _check_text(text: str, path: Path) -> None:
    """As in a file, a text is printable and not endless."""
    if len(text) > (most := limits().text_characters):
        raise _refusal(
            path, f"this text has {len(text):,} characters, more than {most:,}", raise_limit("text_characters")
        )
    if sign := find_unprintable(text):
        fix = "leave it out: a text is letters, signs and spaces in their order"
        raise _refusal(path, f"this text holds the character {sign}, which is not printable", fix)


def _refusal(path: Path, what: str, fix: str) -> SpecError:
    return SpecError([Problem(place_text(path), ".".join(map(str, path)), what, fix)])
