"""Cells: takes a spec, gives the settings of each arm at each matrix point, validated once.

Merging is deep, the later wins, lists replace, and null switches a whole part off. A mapping that names another
`kind` replaces its predecessor: a window attention has no use for the globals of the longformer it replaces, and a
teacher that is another run's network none for the arch and training of the one before it. Another `arch`, and
another `loss`, drops the options of the one before it.
"""

from __future__ import annotations

import itertools
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from engine.spec import Settings, Spec
from engine.spec.controls import settle_control
from engine.spec.search import Kind

Tree = dict[str, Any]
RANGES = frozenset(typing.get_args(Kind))


@dataclass(frozen=True)
class Cell:
    """One arm at one point of the matrix: `cell` names the point, `default` where there is no matrix."""

    arm: str
    cell: str
    settings: Settings


def merge_trees(base: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """Return `base` with `over` merged into it; neither is changed."""
    merged = kept_words(base, over)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and not other_kind(old, value):
            merged[key] = merge_trees(old, value)
        else:
            merged[key] = value
    return merged


def other_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if "kind" in new and "kind" in old:
        return bool(new["kind"] != old["kind"])
    if RANGES & new.keys() and RANGES & old.keys():  # an axis of a search, drawn from something else
        return RANGES & new.keys() != RANGES & old.keys()
    return ("run" in new and "arch" in old) or ("arch" in new and "run" in old)  # a teacher's network, or another run's


def kept_words(old: Mapping[str, Any], new: Mapping[str, Any]) -> Tree:
    """Return what of `old` stays below `new`: the options of a network, or of a loss, mean nothing to another one."""
    is_other = any(word in old and new.get(word, old[word]) != old[word] for word in ("arch", "loss"))
    return {key: value for key, value in old.items() if not (is_other and key == "options")}


def nest_paths(flat: Mapping[str, Any]) -> Tree:
    """Turn `{"prune.ratio": 0.2}` into `{"prune": {"ratio": 0.2}}`; nested mappings may hold dotted keys too."""
    nested: Tree = {}
    for path, value in flat.items():
        inner = nest_paths(value) if isinstance(value, Mapping) else value
        first, *parts = str(path).split(".")
        for part in reversed(parts):
            inner = {part: inner}
        if first in nested:
            nested = merge_trees(nested, {first: inner})
        else:
            nested[first] = inner
    return nested


def expand_cells(spec: Spec) -> Iterator[Cell]:
    """Yield the cells of an experiment, arms first; they are validated once, when it is loaded or first asked for.

    Raises pydantic's ValidationError for impossible settings.
    """
    points = matrix_points(spec.matrix)
    names = [cell_name(point) for point in points]
    kept = spec.kept_cells or spec.keep_cells(_build_cells(spec, points))
    for (arm, name), settings in zip(itertools.product(spec.arm_names, names), kept, strict=True):
        yield Cell(arm, name, settings)


def _build_cells(spec: Spec, points: Sequence[Tree]) -> Iterator[Settings]:
    # exclude_unset: defaults would be merged as if the spec had said them.
    base = spec.model_dump(exclude_unset=True, include=set(Settings.model_fields))
    builder = CellBuilder(base, spec)
    for arm in spec.arm_names:
        for tree in arm_trees(base, spec.arms.get(arm, {}), points):
            yield builder.build(tree)


class CellBuilder:
    """Validates the trees of cells; a section that was validated and that nobody has changed is taken as it is.

    A section is known by being the very mapping that it was: merging leaves in place what nobody changes. Those of
    the base and of the cell before are remembered.
    """

    def __init__(self, base: Tree, validated: Settings | None = None) -> None:
        self._of_base = _sections(base, validated) if validated is not None else {}
        self._newest: Sections = {}

    def build(self, tree: Tree) -> Settings:
        """Return the settings of a cell. Raises pydantic's ValidationError when they are impossible."""
        known = {
            name: model
            for sections in (self._of_base, self._newest)
            for name, (part, model) in sections.items()
            if tree.get(name) is part
        }
        settings = Settings.model_validate({**tree, **known})
        self._newest = _sections(tree, settings)
        return settle_control(settings)


Sections = dict[str, tuple[Any, Any]]  # by name: the mapping as it was written, the model that came of it


def _sections(tree: Tree, settings: Settings) -> Sections:
    return {name: (part, getattr(settings, name)) for name, part in tree.items() if isinstance(part, Mapping)}


def arm_trees(base: Mapping[str, Any], changes: Mapping[str, Any], points: Sequence[Tree]) -> Iterator[Tree]:
    """Yield base, then arm, then matrix point merged, for each point."""
    arm = merge_trees(base, changes)
    for point in points:
        yield merge_trees(arm, nest_paths(point))


def matrix_points(matrix: Mapping[str, list[Any]]) -> list[Tree]:
    """Return every combination of matrix values as dotted path -> value; one empty point without a matrix."""
    return [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]


def cell_name(point: Mapping[str, Any]) -> str:
    return " ".join(f"{path}={value}" for path, value in point.items()) or "default"


@lru_cache(4096)
def unknown_part(path: str) -> tuple[str, list[str]] | None:
    """Return the first part of a dotted path that no setting has, and the names valid there; None if all exist."""
    models: list[type[BaseModel]] = [Settings]
    for part in path.split("."):
        if not models:
            return None if _is_open(path) else (part, [])
        named = [(field.alias or name, field) for model in models for name, field in model.model_fields.items()]
        if part not in (name for name, _ in named):
            return part, sorted({name for name, _ in named})
        fields = [field for name, field in named if name == part]
        models = [inner for field in fields for inner in _models_in(field.annotation)]
    return None


def _is_open(path: str) -> bool:
    """`options` takes whatever the timm network, or the loss, takes."""
    return "options" in path.split(".")[:-1]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a field may hold, looking into unions and Annotated, not into lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return [model for part in typing.get_args(annotation) for model in _models_in(part)]
    return []
