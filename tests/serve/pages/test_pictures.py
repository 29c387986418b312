"""Pictures are given by names of the page alone, which say nothing of where their files lie."""

from __future__ import annotations

from pathlib import Path

from engine.serve.pages.pictures import map_key


def test_a_maps_name_says_nothing_of_its_place() -> None:
    one, two = (map_key(Path(f"/home/jobs/explain-1/attempts/1/artifacts/map_{at}.png")) for at in (0, 1))
    assert one != two
    assert one.isalnum()
    assert "map" not in one
