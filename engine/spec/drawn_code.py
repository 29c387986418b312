"""Own code of a spec, as written and as a search may draw it: takes a spec, gives the cells to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from engine.spec import Spec
from engine.spec.cells import Cell, expand_cells
from engine.spec.code_uses import list_uses
from engine.spec.own_code import names_code
from engine.spec.search import Axis, first_conditions
from engine.spec.trial_arms import only_drawn


@dataclass(frozen=True)
class DrawnCode:
    """A value that may be drawn for an arm and names code: its axis, its place among the choices, and the value."""

    arm: str
    path: str
    at: int
    value: Any


def uses_code(spec: Spec) -> bool:
    """Whether a spec names somebody's own code, in a cell or among what its search draws."""
    return any(True for cell in code_cells(spec) for _ in list_uses(cell.settings))


def code_cells(spec: Spec) -> Iterator[Cell]:
    """Yield the cells of a spec, and those that its arms become with each piece of code that may be drawn for them.

    What is drawn beside it is left out; a value that makes an impossible network of that is not looked at here.
    """
    yield from expand_cells(spec)
    for drawn in drawn_code(spec):
        settings = {**first_conditions(_space_of(spec, drawn.arm), drawn.path), drawn.path: drawn.value}
        try:
            yield from expand_cells(only_drawn(spec, {drawn.arm: (drawn.arm, settings)}, spec.seeds[:1]))
        except ValidationError:
            continue


def drawn_code(spec: Spec) -> Iterator[DrawnCode]:
    """Yield each choice of a searched arm that names code."""
    for arm in spec.arm_names:
        for path, axis in _space_of(spec, arm).items():
            values = axis.values if axis.kind == "choice" else []
            yield from (DrawnCode(arm, path, at, value) for at, value in enumerate(values) if _holds_code(value))


def _space_of(spec: Spec, arm: str) -> Mapping[str, Axis]:
    search = spec.search
    return search.space_of(arm) if search is not None and search.is_searched(arm) else {}


def _holds_code(value: Any) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return names_code(value) or any(map(_holds_code, inner))
