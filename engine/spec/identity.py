"""Stable ids: takes models or plain settings, gives sha256 over typed canonical JSON.

An id changes when the result can change. Defaults enter by value, so a default that is changed later makes a new id;
fields marked ASIDE (paths, worker counts, resources) never enter, those marked LATER where they are not at their
default. IDENTITY_VERSION is raised when the meaning of a
setting changes while its text does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

IDENTITY_VERSION = 2  # 2: the settings of each kind of job are a model, all of whose fields are written
VIEW_VERSION = 2  # of the pixels that augmentation makes: in the id of every job that looks at views
PACK_VERSION = 4  # of what a pack holds, its groups of near-duplicates too: in the id of every pack
MAP_VERSION = 2  # of what a map is and what is measured of it: in the id of every job that draws maps
# 48 bits: two of 100,000 jobs share an id with a chance of 2 in 100,000.
ID_DIGITS = 12


def counted_settings(model: BaseModel) -> dict[str, Any]:
    """Return what of `model` decides results, as plain JSON values, defaults included."""
    counted: dict[str, Any] = {}
    for name, known_as, kept in _field_rules(type(model)):
        value = getattr(model, name)
        if kept is None or value in kept:
            counted[known_as] = _plain_value(value)
    return counted


@cache
def _field_rules(kind: type[BaseModel]) -> tuple[tuple[str, str, Container[Any] | None], ...]:
    """Return each field of a model, its name in a spec, and which of its values count (None: all)."""
    return tuple(
        (name, field.alias or name, _counted_values(field.json_schema_extra, field.default))
        for name, field in kind.model_fields.items()
    )


def canonical_json(value: Any) -> str:
    """Return one text per value: sorted keys, no spaces, `1` and `1.0` alike, no NaN."""
    return json.dumps(_same_numbers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest_of(value: Any) -> str:
    """Return the sha256 of `value`'s canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def make_id(kind: str, value: Any) -> str:
    """Return a readable content id such as `train-3f9c0a1b2c4d`."""
    return f"{kind}-{digest_of(value)[:ID_DIGITS]}"


class _AllBut:
    """Every value but one, the default of a field marked LATER."""

    def __init__(self, default: object) -> None:
        self._default = default

    def __contains__(self, value: object) -> bool:
        return value != self._default


def _counted_values(extra: object, default: object) -> Container[Any] | None:
    """Values of a field marked ASIDE that change results all the same: `on_oom: split` may, `auto` cannot."""
    if isinstance(extra, Mapping) and extra.get("later"):
        return _AllBut(default)
    if not isinstance(extra, Mapping) or not extra.get("aside"):
        return None
    values = extra.get("counted", ())
    return values if isinstance(values, list) else ()


# The first line of both is for speed alone: most values are text, and to be a Mapping takes long to deny.
PLAIN = (str, int, type(None))
KEYED = (dict, Mapping)


def _plain_value(value: Any) -> Any:
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, BaseModel):
        return counted_settings(value)
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    if isinstance(value, KEYED):
        return {str(key): _plain_value(item) for key, item in value.items()}
    return value


def _same_numbers(value: Any) -> Any:
    """Whole floats become ints: `2` and `2.0` are one setting. Truth values stay themselves."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple):
        return [_same_numbers(item) for item in value]
    if isinstance(value, KEYED):
        return {key: _same_numbers(item) for key, item in value.items()}
    return value
