"""What a report says of its images: takes the facts `pack` and `split` of its jobs, gives lines of text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.analysis.snapshot import Row
from engine.inputs.quotas import PARTS
from engine.report.sentences import say

Fact = Mapping[str, Any]
MOST_NAMED = 3


def image_facts(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Yield a line for each pack (images, classes, what was left out, what is there twice) and for each split."""
    held = [(row["name"], json.loads(row["value"])) for row in rows]
    for line in dict.fromkeys(_pack_text(fact) for name, fact in held if name == "pack"):
        yield "Images", line
    for line in dict.fromkeys(_split_text(fact) for name, fact in held if name == "split"):
        yield "Parts", line


def _pack_text(fact: Fact) -> str:
    said = [f"{fact['images']} in {fact['classes']} classes"]
    if fact["skipped"]:
        named = ["/".join(place.split("/")[-2:]) for place in fact["left_out"][:MOST_NAMED]]
        more = "" if fact["skipped"] == len(named) else f" and {fact['skipped'] - len(named)} more"
        said.append(say("broken", count=fact["skipped"], names=", ".join(named) + more))
    doubles = fact["duplicates"]
    if doubles["groups"]:
        about = {"groups": doubles["groups"], "images": doubles["images"], "across": doubles["across_labels"]}
        said.append(say("doubles", **about))
    return "; ".join(said)


def _split_text(fact: Fact) -> str:
    """Return the sizes of the parts; where they are not the quotas, what was asked and why."""
    said = [f"{fact['text']}: " + ", ".join(f"{fact[part]} {part}" for part in PARTS)]
    if any(fact[part] != fact["asked"][part] for part in PARTS):
        asked = "/".join(str(fact["asked"][part]) for part in PARTS)
        together = say("kept_together", largest=fact["largest_group"]) if fact["largest_group"] > 1 else ""
        said.append(say("asked_for", asked=asked) + together)
    if fact["left_out"]:
        said.append(say("test_doubles", count=fact["left_out"]))
    return "; ".join(said)
