"""Settings by dotted path: takes a tree of settings, gives its leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten_settings(tree: Mapping[str, Any], *, with_empty: bool = False) -> dict[str, Any]:
    """Return `{"train.lr": 0.1}` for `{"train": {"lr": 0.1}}`; lists stay whole.

    Nulls and empty mappings, which set nothing, are left out unless `with_empty`.
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= {f"{key}.{path}": leaf for path, leaf in flatten_settings(value, with_empty=with_empty).items()}
        elif with_empty or not (value is None or value == {}):
            flat[key] = value
    return flat
