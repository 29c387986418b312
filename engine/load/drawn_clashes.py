"""Axes of a search in the way of others: takes a path and who says or draws what, gives what is wrong and a fix.

A path holds all below it: who draws `student.attention` draws `student.attention.kind` over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.spec import Spec

Fault = tuple[str, str]  # what is wrong, and the fix


def space_clash(path: str, space: Iterable[str]) -> Fault | None:
    """Say which other axis holds a path, None where none does."""
    held = next((other for other in space if path.startswith(f"{other}.")), None)
    return None if held is None else (f"{held} is drawn too, and holds it", "draw one of the two")


def matrix_clash(path: str, matrix: Iterable[str]) -> Fault | None:
    """Say that the matrix varies a path, what holds it, or what it holds."""
    varied = next((other for other in matrix if _touches(path, other)), None)
    if varied is None:
        return None
    more = "" if varied == path else f", and one of the two holds {max(path, varied, key=len)}"
    return f"{varied} is varied by the matrix{more}", "leave it away there, or here"


def arm_clash(path: str, spec: Spec) -> Fault | None:
    """What an arm says itself, or as another's heir, is what it is: drawn over, it would be another arm by its name."""
    for arm, changes in spec.arms.items():
        is_drawn = spec.search is not None and path in spec.search.space_of(arm)
        said = next((word for word in _leaves(changes) if _touches(path, word)), None) if is_drawn else None
        if said is not None:
            what = f"arm {arm} says {'it' if said == path else said} itself"
            return what, f"write `{arm}: null` below `search.arms`, or draw something else"
    return None


def _touches(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _leaves(tree: Mapping[str, Any], root: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{root}{key}.")
        else:
            yield f"{root}{key}"
