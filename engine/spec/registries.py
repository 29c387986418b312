"""Words that are the keys of a registry: takes what they name, gives them with what a spec must know of each.

What carries out a word may need torch, and a spec is checked without it: such a registry, the dict at the foot of its
file, is read as data from the line that begins it on, and never imported. Keyword arguments of an entry that are
literals (`temperature=2.0`) are its facts; the function that does the work needs no second mention.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from engine.errors import closest_hint
from engine.spec.own_code import CODE_PATTERN, names_code

ENGINE = Path(__file__).parents[1]
T = TypeVar("T")


@dataclass(frozen=True)
class OneOf:
    """Marks a text of a spec as one of `words`: checked, explained and listed in the JSON schema as a Literal is.

    `or_code`: or as somebody's own code by name (own_code.py).
    """

    words: tuple[str, ...]
    or_code: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        words = core_schema.literal_schema(list(self.words))
        return core_schema.no_info_wrap_validator_function(_take_code, words) if self.or_code else words

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        told: dict[str, Any] = handler(schema)
        return {"anyOf": [told, CODE_SCHEMA]} if self.or_code else told


def _take_code(value: Any, check: Callable[[Any], Any]) -> Any:
    return value if names_code(value) else check(value)


CODE_SCHEMA = {"type": "string", "pattern": CODE_PATTERN}


def one_of(kind: str, *, or_code: bool = False) -> OneOf:
    """Return the words of a kind in REGISTRIES, as a mark for a field of a spec."""
    return OneOf(tuple(read_registry(*REGISTRIES[kind])), or_code)


def read_words(kind: str, facts: type[T]) -> dict[str, T]:
    """Return each word of a kind in REGISTRIES with its facts: those that dataclass `facts` has fields for.

    Raises TypeError naming the entry that leaves one away that every word must have.
    """
    file, name = REGISTRIES[kind]
    known = {field.name for field in fields(facts)}  # type: ignore[arg-type]  # any dataclass
    made = {}
    for word, given in read_registry(file, name).items():
        try:
            made[word] = facts(**{key: value for key, value in given.items() if key in known})
        except TypeError as error:
            raise TypeError(f"engine/{file}: {name}[{word!r}] does not say all, in literals: {error}") from error
    return made


@cache
def read_registry(file: str, name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what dict `name` at the foot of `file` (below engine/) holds: each word, in order, with its facts.

    Raises ValueError naming both where there is no such dict, or a key of it is no text.
    """
    tree = _foot_tree((ENGINE / file).read_text(encoding="utf-8"), name)
    if not isinstance(tree, ast.Dict):
        raise ValueError(f"engine/{file} has no dict {name} at its foot")
    return dict(_entries(tree, f"engine/{file}: {name}"))


def _foot_tree(text: str, name: str) -> ast.expr | None:
    """Parse from the line that begins `name` on: a registry ends its file, and what is above it would cost time."""
    start = max(text.rfind(f"\n{name}{sign}") for sign in (":", " ="))
    statement = ast.parse(text[start:]).body[0] if start >= 0 else None
    return statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None


def _entries(tree: ast.Dict, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in zip(tree.keys, tree.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise ValueError(f"{place} has a key that is no text: words are written out")
        yield key.value, dict(_literals(value))


def _literals(value: ast.expr) -> Iterator[tuple[str, Any]]:
    for keyword in value.keywords if isinstance(value, ast.Call) else ():
        try:
            fact = ast.literal_eval(keyword.value)
        except ValueError:
            continue  # a function, or what is computed: not for a spec to know
        if keyword.arg is not None:
            yield keyword.arg, fact


def find_word(registry: Mapping[str, T], word: str, kind: str) -> T:
    """Return the entry of `word`. Raises ValueError with the closest words where there is none."""
    if word not in registry:
        raise ValueError(f"unknown {kind} {word!r}: {closest_hint(word, registry)}")
    return registry[word]


# kind of word -> the file below engine/, and the dict at its foot
REGISTRIES: dict[str, tuple[str, str]] = {
    "loss": ("core/distill/losses.py", "LOSSES"),
    "feature_loss": ("core/distill/feature_losses.py", "FEATURE_LOSSES"),
    "projector": ("core/distill/projectors.py", "PROJECTORS"),
    "optimizer": ("core/train/optim.py", "OPTIMIZERS"),
    "criterion": ("core/prune/criteria.py", "CRITERIA"),
    "select": ("core/network/sparse.py", "SELECTS"),
    "runtime": ("core/runtimes/registry.py", "RUNTIMES"),
    "source": ("inputs/content.py", "SOURCES"),
}
