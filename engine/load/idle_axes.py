"""Axes that decide nothing: takes what makes settings, an arm's tree and its space, gives those that change no job.

A trial of such an axis would be the same training as the one before, and chosen from as if it were another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from engine.load.cells import heeded
from engine.spec.cells import CellBuilder, Tree, merge_trees, nest_paths
from engine.spec.identity import canonical_json
from engine.spec.search import Axis, first_conditions


def idle_axes(builder: CellBuilder, tree: Tree, space: Mapping[str, Axis]) -> Iterator[str]:
    """Yield the paths whose values all give the same jobs, also beside every value of each other axis."""
    for path, axis in space.items():
        own = first_conditions(space, path)
        others = (
            {**first_conditions(space, other), other: value}
            for other in space
            if other != path and path not in first_conditions(space, other)
            for value in space[other].values
        )
        beside = (words for words in ({}, *others) if all(own.get(key, value) == value for key, value in words.items()))
        if not any(_differs(builder, tree, {**words, **own}, path, axis) for words in beside):
            yield path


def _differs(builder: CellBuilder, tree: Tree, words: Mapping[str, Any], path: str, axis: Axis) -> bool:
    """Whether two values give other jobs; as far as they are possible, and where none is that is said elsewhere."""
    found: set[str] = set()
    for value in axis.values:
        try:
            settings = builder.build(merge_trees(tree, nest_paths({**words, path: value})))
        except ValidationError:
            return True
        found.add(canonical_json(heeded(settings)))
        if len(found) > 1:
            return True
    return False
