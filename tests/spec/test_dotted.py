"""Settings by dotted path: leaves as they are, with or without what sets nothing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.spec.dotted import flatten_settings

TREE: dict[str, Any] = {
    "a": {"b": {"c": 1}, "d": [1, {"e": 2}], "j": None, "k": {}}, "f": None, "g": {}, "h": False, "i": "",
}  # fmt: skip
SET = {"a.b.c": 1, "a.d": [1, {"e": 2}], "h": False, "i": ""}


@pytest.mark.parametrize(
    ("with_empty", "flat"), [(False, SET), (True, {**SET, "a.j": None, "a.k": {}, "f": None, "g": {}})]
)
def test_flattened_settings_keep_lists_and_empty_ones_if_asked(with_empty: bool, flat: dict[str, Any]) -> None:
    assert flatten_settings(TREE, with_empty=with_empty) == flat
