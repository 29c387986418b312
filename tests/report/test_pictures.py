"""Pictures of a page: arms that have maps are named once, in their order."""

from __future__ import annotations

from pathlib import Path

from engine.report.pictures import MapImage, map_arms


def test_arms_of_maps_are_named_once_in_their_order() -> None:
    maps = [MapImage(arm, "map_000.png", Path("map_000.png"), "cat", "") for arm in ("b", "a", "b")]
    assert map_arms({"one": maps[:2], "two": maps[2:]}) == ["b", "a"]
