"""What pydantic found, in our words: takes one error detail, gives the path, what is wrong and the fix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from engine.errors import closest_hint
from engine.spec import Attention, Spec
from engine.spec.base import show_number
from engine.spec.cells import unknown_part

KINDS = tuple(
    kind for model in get_args(get_args(Attention)[0]) for kind in get_args(model.model_fields["kind"].annotation)
)
UNION_TAGS = {"attention": KINDS, "temperature": ("number", "schedule", "matched")}
EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list in [brackets]",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


MOST_EXACT = 1e15  # beyond, a float's digits are no longer those that somebody wrote


@dataclass(frozen=True)
class Explained:
    """One problem without its position; `at_key` when the key is wrong and not its value."""

    path: tuple[str | int, ...]
    what: str
    fix: str
    at_key: bool = False


def explain_error(detail: ErrorDetails) -> Explained:
    """Turn one of pydantic's error details into words for the person who wrote the spec."""
    path = _clean_path(detail["loc"])
    kind, context, given = detail["type"], detail.get("ctx") or {}, detail["input"]
    if kind == "refused":
        return Explained(path, str(context["what"]), str(context["fix"]))
    if isinstance(given, float) and not math.isfinite(given):
        return _no_number(path, given)
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return Explained(path, f"the key {path[-1]!r} is missing", f"add `{path[-1]}:` here", at_key=True)
    if kind in ("literal_error", "union_tag_invalid"):
        return _wrong_choice(path, context, given)
    if kind == "union_tag_not_found":
        return Explained(
            path, "`kind` is missing", "add " + " or ".join(f"kind: {kind}" for kind in KINDS), at_key=True
        )
    if kind == "float_type" and isinstance(given, int) and not isinstance(given, bool):
        return Explained(path, f"{_show(given)} is too large for any setting", "write the number that was meant")
    if kind in EXPECTED:
        return Explained(path, f"{_show(given)} is not {EXPECTED[kind]}", f"write {EXPECTED[kind]}{_unquote(given)}")
    beyond = next((key for key in BEYOND if key in context), None)
    if beyond is not None:
        limit = show_number(context[beyond])
        return Explained(path, f"{_show(given)} is {BEYOND[beyond]} {limit}", f"use a value {WITHIN[beyond]} {limit}")
    return Explained(path, f"{_show(given)}: {_lower(detail['msg'])}", _limit_fix(context, detail["msg"]))


def _no_number(path: tuple[str | int, ...], given: float) -> Explained:
    """Neither is ever meant: a slip, or a computed value that went wrong."""
    if math.isnan(given):
        return Explained(path, "NaN is no setting", "write a number")
    return Explained(path, "infinity is no setting", "write the largest number that is meant")


def _clean_path(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Drop the tags that pydantic puts between the names: the chosen kind, and the types of a union."""
    kept: list[int | str] = []
    for part in loc:
        is_tag = bool(kept) and part in UNION_TAGS.get(str(kept[-1]), ())
        is_type = isinstance(part, str) and (part in ("int", "str", "float", "bool") or "[" in part)
        if not (is_tag or is_type):
            kept.append(part)
    return tuple(kept)


def _unknown_key(path: tuple[int | str, ...]) -> Explained:
    names = _valid_names(path)
    fix = closest_hint(str(path[-1]), names) if names else "remove it"
    return Explained(path, f"unknown key {str(path[-1])!r}", fix, at_key=True)


def _valid_names(path: tuple[int | str, ...]) -> list[str]:
    if len(path) == 1:
        return sorted(Spec.model_fields)
    if path[0] == "claims":
        return ["id", "text", "metric", "arm", "against", "expect", "margin"]
    wrong = unknown_part(".".join(str(part) for part in path if isinstance(part, str)))
    return wrong[1] if wrong else []


def _wrong_choice(path: tuple[int | str, ...], context: Mapping[str, Any], given: object) -> Explained:
    expected = str(context.get("expected", context.get("expected_tags", "")))
    # Pydantic gives the choices as one text: 'a', 'b' or 'c'.
    choices = [word.strip(" '\"") for part in expected.split(" or ") for word in part.split(",")]
    if "tag" in context:
        path, given = (*path, "kind"), context["tag"]
    return Explained(
        path, f"{_show(given)} is no choice here", closest_hint(str(given), [word for word in choices if word])
    )


def _limit_fix(context: Mapping[str, Any], message: str) -> str:
    limits = [f"{words} {context[key]}" for key, words in LIMITS.items() if key in context]
    return "use " + " and ".join(limits) if limits else f"{_lower(message)}"


def _unquote(given: object) -> str:
    """A number in quotes, and a whole one with an exponent, are the most common mistakes of type."""
    if isinstance(given, float) and given.is_integer() and abs(given) < MOST_EXACT:
        return f", without point or exponent: {int(given)}"
    if isinstance(given, str):
        return f", without quotes: {given}" if given.replace(".", "", 1).replace("-", "", 1).isdigit() else ""
    return ""


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _show(given: object) -> str:
    if isinstance(given, BaseModel | Mapping):
        return "this mapping"
    try:
        text = "null" if given is None else repr(given)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "this"
    if isinstance(given, int) and len(text) > 20:
        return f"a whole number of {len(text.lstrip('-'))} digits"
    return text if len(text) <= 60 else text[:57] + "..."


BEYOND = {"ge": "below", "gt": "not above", "le": "above", "lt": "not below"}
WITHIN = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}
LIMITS = {
    "min_length": "a length of at least",
    "max_length": "a length of at most",
    "pattern": "a text that matches",
}
