"""The JSON Schema for editors says beside each word what it means, and knows dotted paths in arms."""

from __future__ import annotations

from typing import Any

from engine.spec.editor import editor_words, spec_schema
from engine.spec.lexicon import all_terms

SCHEMA = spec_schema()


def properties() -> list[tuple[str, dict[str, Any]]]:
    parts = [SCHEMA, *SCHEMA["$defs"].values()]
    return [(name, told) for part in parts for name, told in part.get("properties", {}).items()]


def test_every_property_has_a_description() -> None:
    bare = [name for name, told in properties() if not told.get("description")]
    assert bare == []


def test_a_description_ends_with_range_and_default() -> None:
    lr = SCHEMA["$defs"]["Train"]["properties"]["lr"]
    assert lr["description"].endswith("Range: above 0, at most 100. Default: 0.0005.")
    assert lr["examples"] == [0.001]
    assert "Unit: pixels." in editor_words(all_terms()["data.image_size"])
    assert "Default" not in editor_words(all_terms()["data.source"])


def test_arms_may_name_settings_by_their_paths() -> None:
    arm = SCHEMA["properties"]["arms"]["additionalProperties"]
    assert {"extends", "controls", "train", "train.lr", "student.attention.kind"} <= set(arm["properties"])
    assert arm["type"] == ["object", "null"]
    assert "train.lr" in SCHEMA["properties"]["matrix"]["properties"]
    assert "name" not in arm["properties"]
