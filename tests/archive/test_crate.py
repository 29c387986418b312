"""RO-Crate metadata: what the specification asks for is there, and every file that it names is inside."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.archive.crate import CONFORMS, CONTEXT, UNSTATED, Contents, describe_crate, licence_address, write_readme
from engine.archive.making import Made
from engine.archive.members import CRATE
from tests.archive.zips import read_all

TOLD = Contents({"paper": "A title"}, 1_760_000_000.0, None, "0.4.0", {"README.md": (5, "ab"), "home/x": (1, "")})


def entities(crate: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["@id"]: one for one in crate["@graph"]}


def test_the_descriptor_tells_of_the_root() -> None:
    crate = describe_crate(TOLD)
    assert crate["@context"][0] == CONTEXT
    descriptor = entities(crate)[CRATE]
    assert (descriptor["@type"], descriptor["conformsTo"], descriptor["about"]) == (
        "CreativeWork", {"@id": CONFORMS}, {"@id": "./"},
    )  # fmt: skip


def test_the_root_has_all_that_is_demanded() -> None:
    root = entities(describe_crate(TOLD))["./"]
    assert root["@type"] == "Dataset"
    assert root["datePublished"] == "2025-10-09T08:53:20Z"
    assert all(root[word] for word in ("name", "description", "license", "hasPart"))


def test_every_reference_leads_to_an_entity(made: Made) -> None:
    inside = read_all(made.path)
    crate = json.loads(inside[CRATE])
    known = entities(crate)
    assert len(known) == len(crate["@graph"])
    named = [one for entity in crate["@graph"] for value in entity.values() for one in _references(value)]
    outside = {CONFORMS}
    assert {one for one in named if one not in known} <= outside
    files = {name for name, one in known.items() if one["@type"] == "File"}
    assert files <= inside.keys()
    assert {int(known[name]["contentSize"]) == len(inside[name]) for name in files if "contentSize" in known[name]} == {
        True
    }


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [one for item in value for one in _references(item)]
    return [value["@id"]] if isinstance(value, dict) else []


@pytest.mark.parametrize(
    ("word", "address"),
    [("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0"), ("https://example.org/x", "https://example.org/x")],
)
def test_a_licence_is_an_address(word: str, address: str) -> None:
    assert licence_address(word) == address


def test_without_a_licence_it_says_so() -> None:
    known = entities(describe_crate(TOLD))
    assert known["#licence"]["description"] == UNSTATED
    assert UNSTATED in write_readme(["paper"], None, 0)
    assert "Licence of the results: MIT" in write_readme(["paper"], "MIT", 2)
