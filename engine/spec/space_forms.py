"""Axes as other tools write them: takes what stands at a path of a space, gives what is wrong and what to write.

A bare list, one value, `{min: 1, max: 8}` and a section with settings in it are not guessed at: each can mean several.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from engine.spec.base import refuse_keys
from engine.spec.synonyms import hint_word
from engine.spec.written import write_value

WORDS = ("log", "float", "int", "choice", "step", "when")
ENDS = (("min", "max"), ("low", "high"), ("lower", "upper"), ("start", "stop"))


def check_forms(space: Any) -> Any:
    """Refuse the axes that are no mapping of WORDS, all at once; give back what stands there."""
    if isinstance(space, Mapping):
        found = ((str(path), form_problem(str(path), axis)) for path, axis in space.items())
        if problems := [(path, *problem) for path, problem in found if problem is not None]:
            raise refuse_keys("space", problems)
    return space


def form_problem(path: str, axis: Any) -> tuple[str, str] | None:
    """Return what is wrong with the form of an axis and the fix, None for a mapping of WORDS or a model."""
    if isinstance(axis, list):
        return "a list does not say how to draw from it", _list_fix(axis)
    if isinstance(axis, BaseModel):
        return None
    if not isinstance(axis, Mapping):
        fix = f"write `{{choice: [{write_value(axis)}, ...]}}` with others, or set {path} in the spec"
        return f"{write_value(axis)} is one value, and nothing to draw", fix
    strange = [str(word) for word in axis if word not in WORDS]
    return (f"{strange[0]!r} is no way to draw", _word_fix(path, axis, strange[0])) if strange else None


def _list_fix(values: list[Any]) -> str:
    one = f"write `{{choice: {write_value(values)}}}` to draw one of these"
    if len(values) != 2 or not all(map(_is_number, values)):
        return one
    kind = "int" if all(isinstance(value, int) for value in values) else "float"
    return f"{one}, or `{{{kind}: {write_value(values)}}}` to draw between them"


def _word_fix(path: str, axis: Mapping[Any, Any], strange: str) -> str:
    for low, high in ENDS:
        if low in axis and high in axis and all(map(_is_number, (axis[low], axis[high]))):
            ends = [axis[low], axis[high]]
            kind = "int" if all(isinstance(value, int) for value in ends) else "float"
            return f"write `{{{kind}: {write_value(ends)}}}`, or `log` to draw by order of magnitude"
    if isinstance(axis[strange], Mapping):
        return f"write a setting by its dotted path: `{path}.{strange}: {write_value(axis[strange])}`"
    return hint_word(strange, WORDS)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
