"""A spec loaded: takes its file or mapping, overlays and --set, gives a Spec that carries its cells, or every mistake.

Layers, the later wins: the files it extends, the spec itself, its arm, then overlays and --set (over the arms too,
so that `--set train.epochs=1` means what it says), then the matrix. What an arm switched off with null stays off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.errors import Problem, SpecError
from engine.load.arms import tidy_arms
from engine.load.cells import check_cells, explain_all, matrix_problems, same_arms, same_points, too_many_cells
from engine.load.code_places import code_places, place_code
from engine.load.excerpts import showing_places
from engine.load.ignored import check_set_arms, claim_problems, column_problems, distill_problems, doubts
from engine.load.layers import Layers, python_layers, read_layers
from engine.load.overlays import apply_over, change_arms, over_places, read_overlays
from engine.load.python_tree import NAME, read_mapping
from engine.load.search_space import search_problems
from engine.spec import Spec
from engine.spec.cells import Tree, merge_trees


def load_spec(
    path: str | Path,
    overrides: Sequence[str] = (),
    overlays: Sequence[str | Path] = (),
    *,
    tell: Callable[[str], None] | None = None,
) -> Spec:
    """Read, merge and check a spec; `overrides` are texts such as `train.epochs=2`, `tell` hears how far it is.

    Raises SpecError with every problem found. Data, weights and variables that are absent are no error here.
    """
    with showing_places(Path(path)):
        return _check_layers(read_layers(Path(path)), overrides, overlays, tell)


def load_words(
    words: Mapping[str, Any] | BaseModel, overrides: Sequence[str] = (), overlays: Sequence[str | Path] = ()
) -> Spec:
    """Return the spec that a mapping of Python's says, as `load_spec` does of a file; raises SpecError as it does."""
    with showing_places(Path(NAME)):
        return _check_layers(python_layers(read_mapping(words), NAME), overrides, overlays)


def _check_layers(
    layers: Layers,
    overrides: Sequence[str],
    overlays: Sequence[str | Path],
    tell: Callable[[str], None] | None = None,
) -> Spec:
    over = read_overlays(overrides, overlays)
    layers.over = over_places(overrides, overlays)
    layers.over_keys = over_places((), overlays, key=True)
    check_set_arms(overrides, merge_trees(layers.tree, read_overlays((), overlays)))
    problems = _merge_over(layers, over)
    place_code(layers)
    spec, more = _validate_whole(layers)
    told = {problem.path for problem in problems}
    more = [problem for problem in more if problem.path not in told]
    if not problems:
        problems, cells = check_cells(layers, spec, tell)
        if spec is not None and not problems:
            spec.keep_cells(cells)
            problems = [*claim_problems(spec, layers), *column_problems(spec, layers)]
            problems += [*distill_problems(spec, layers), *search_problems(spec, layers)]
            problems += [] if over or problems else [*same_arms(spec, layers), *same_points(spec, layers)]
            spec.keep_doubts(doubts(spec, layers))
            spec.keep_code_places(code_places(spec, layers))
    problems = _once([*_without_echoes(problems, more), *more])
    if spec is None or problems:
        raise SpecError(problems)
    return spec


def _merge_over(layers: Layers, over: Tree) -> list[Problem]:
    """Merge arms, overlays and --set into the layers' tree; return what keeps its cells from being made."""
    layers.tree = change_arms(layers.tree, over)
    problems = tidy_arms(layers)
    if not problems:
        layers.tree = apply_over(layers.tree, over)
    problems += matrix_problems(layers)
    return problems or too_many_cells(layers)


def _validate_whole(layers: Layers) -> tuple[Spec | None, list[Problem]]:
    try:
        return Spec.model_validate(layers.tree), []
    except ValidationError as error:
        return None, list(explain_all(error, layers, lambda path: path))


def _without_echoes(of_cells: Iterable[Problem], of_spec: Iterable[Problem]) -> list[Problem]:
    """Leave away sections that cells miss and the spec does not: it knows which word was meant for what brings them."""
    told = {problem.path for problem in of_spec}
    return [
        problem
        for problem in of_cells
        if not (told and problem.what.startswith("the key ") and "." not in problem.path and problem.path not in told)
    ]


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """A mistake in the base shows in every arm; say it once."""
    kept: dict[tuple[str, str, str], Problem] = {}
    for problem in problems:
        kept.setdefault((problem.where, problem.path, re.sub(r" \(arm .*\)$", "", problem.what)), problem)
    return list(kept.values())
