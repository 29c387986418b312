"""What may run here: takes a home and code, gives whether its owner said so; keeps it when they do.

Trust is of a name in a file at its path with the digest of what it says: a changed line of code asks again, a comment
does not, and another function of the same file does. It is of the very home that it was said in: not of a copy of that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine.errors import XpError
from engine.home.files import read_object, write_json
from engine.home.paths import Home
from engine.inputs.own_code.finding import Code, read_file

TRUSTED = "trusted.json"


def is_trusted(home: Home, code: Code) -> bool:
    """Whether this code may run from this place."""
    return any(_is_of(one, code) for one in _read_trusted(home))


def is_trusted_copy(home: Home, digest: str, name: str) -> bool:
    """Whether this name of code whose digest begins so may be called from its copy in the home, wherever it lay."""
    return any(str(one.get("digest")).startswith(digest) and one.get("name") == name for one in _read_trusted(home))


def trust(home: Home, codes: Sequence[Code]) -> None:
    """Keep that the owner of this code lets it run here."""
    home.own_code.mkdir(parents=True, exist_ok=True)
    with FileLock(home.own_code / f"{TRUSTED}.lock"):
        known = _read_trusted(home)
        added = [_entry(home, code) for code in codes if not any(_is_of(one, code) for one in known)]
        if added:
            write_json(home.own_code / TRUSTED, {"trusted": [*known, *added]})


def lend_trust(home: Home, other: Home) -> None:
    """Let another home of the same owner run what may run in this one."""
    there = _place_of(other)
    write_json(other.own_code / TRUSTED, {"trusted": [{**one, "home": there} for one in _read_trusted(home)]})


@dataclass(frozen=True)
class Allowed:
    """Code that may run in a home: its file, digest, when that was said (unix), and whether it still says the same."""

    path: str
    digest: str
    at: float
    is_same: bool


def list_trusted(home: Home) -> list[Allowed]:
    """Return what may run in a home, in the order in which it was said; of a file the newest alone."""
    newest = {str(one.get("path")): one for one in _read_trusted(home)}
    return [
        Allowed(path, str(one.get("digest")), float(one.get("at", 0.0)), _still_says(path, str(one.get("digest"))))
        for path, one in newest.items()
    ]


def _still_says(path: str, digest: str) -> bool:
    try:
        return read_file(Path(path)).digest == digest
    except XpError:
        return False


def _entry(home: Home, code: Code) -> dict[str, Any]:
    about = {"path": str(code.file), "name": code.reference.name, "digest": code.digest, "files": sorted(code.files)}
    return {**about, "root": str(code.root), "home": _place_of(home), "at": time.time()}


def _is_of(entry: dict[str, Any], code: Code) -> bool:
    return (entry.get("path"), entry.get("name"), entry.get("digest")) == (
        str(code.file), code.reference.name, code.digest,
    )  # fmt: skip


def _read_trusted(home: Home) -> list[dict[str, Any]]:
    """A file that is absent, damaged or of another home trusts nothing: the owner is asked again."""
    listed = (read_object(home.own_code / TRUSTED) or {}).get("trusted", [])
    if not isinstance(listed, list) or not listed:
        return []
    here = _place_of(home)
    return [one for one in listed if isinstance(one, dict) and one.get("home") == here]


def _place_of(home: Home) -> list[Any]:
    """Return what a copy of a home has not: its path and the number of its folder on the disk."""
    return [os.path.realpath(home.root), home.root.stat().st_ino]
