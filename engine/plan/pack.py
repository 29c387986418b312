"""The job that packs images: takes the counted `data` of any job that uses them, gives its settings and its id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.plan.draft import canonical_job
from engine.spec.identity import make_id

PACK_FIELDS = ("source", "short_side", "format", "broken", "classes")


def pack_settings(data: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Return what decides a pack: what of `data` does, and which images those are."""
    return {"data": {name: data[name] for name in PACK_FIELDS}, "digest": digest}


def pack_id(data: Mapping[str, Any], digest: str) -> str:
    """Return the id of the pack of the images of this digest: who needs it knows by it that they are the right ones."""
    return make_id("pack", canonical_job("pack", {}, pack_settings(data, digest)))
