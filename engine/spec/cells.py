"""Arms: takes a base and what an arm or a matrix point changes, gives the settings of one cell.

Merging is deep, the later wins, lists replace, and null switches a whole part off. A mapping that names another
`kind` replaces its predecessor: a window attention has no use for the globals of the longformer it replaces, and a
teacher that is another run's network none for the arch and training of the one before it. Another `arch`, and
another `loss`, drops the options of the one before it.
"""

from __future__ import annotations

import itertools
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from engine.spec import Settings, Spec

Tree = dict[str, Any]


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
        for part in reversed(str(path).split(".")):
            inner = {part: inner}
        nested = merge_trees(nested, inner)
    return nested


def expand_cells(spec: Spec) -> Iterator[Cell]:
    """Yield the cells of an experiment, arms first. Raises pydantic's ValidationError for impossible settings."""
    for arm in spec.arm_names:
        for point in matrix_points(spec.matrix):
            yield Cell(arm, cell_name(point), cell_settings(spec, arm, point))


def matrix_points(matrix: Mapping[str, list[Any]]) -> list[Tree]:
    """Return every combination of matrix values as dotted path -> value; one empty point without a matrix."""
    return [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]


def cell_name(point: Mapping[str, Any]) -> str:
    return " ".join(f"{path}={value}" for path, value in point.items()) or "default"


def cell_settings(spec: Spec, arm: str, point: Mapping[str, Any]) -> Settings:
    """Return the settings of `arm` at `point`. Raises pydantic's ValidationError when they are impossible."""
    base = spec.model_dump(exclude_unset=True, include=set(Settings.model_fields))
    return Settings.model_validate(cell_tree(base, spec.arms.get(arm, {}), point))


def cell_tree(base: Mapping[str, Any], changes: Mapping[str, Any], point: Mapping[str, Any]) -> Tree:
    """Merge base, then arm, then matrix point."""
    return merge_trees(merge_trees(base, changes), nest_paths(point))


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
