"""Own code behind settings: takes a home and settings, gives the files of each piece, and those that changed.

What a file says counts, not its text: one whose comments alone changed is not among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine.home.paths import Home
from engine.inputs.own_code.keeping import Kept, list_kept
from engine.spec.own_code import read_reference


def code_lines(home: Home, settings: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Yield lines on each piece of code that flat settings name: its files, and what changed since the one before."""
    kept = {one.digest: one for one in list_kept(home)}
    told: set[str] = set()
    for path, value in settings:
        reference = read_reference(value) if isinstance(value, str) and ":" in value else None
        if reference is None or reference.digest not in kept or value in told:
            continue
        told.add(value)
        own = kept[reference.digest]
        yield f"{path} is code: {', '.join(own.place(name) for name in sorted(own.parts))}"
        before = _code_before(own, kept.values())
        if before is not None:
            yield from (f"  {line} since {reference.place}@{before.digest}" for line in changed_files(before, own))


def difference_lines(home: Home, first: Any, second: Any) -> Iterator[str]:
    """Yield the files in which two settings that name code differ; nothing where they name none that is kept here."""
    found = [read_reference(value) if isinstance(value, str) and ":" in value else None for value in (first, second)]
    kept = {one.digest: one for one in list_kept(home)}
    old, new = (kept.get(one.digest) if one is not None else None for one in found)
    if old is not None and new is not None:
        yield from changed_files(old, new)


def changed_files(old: Kept, new: Kept) -> Iterator[str]:
    """Yield a phrase for each file that says something else, is new, or is gone."""
    for name in sorted(old.parts.keys() | new.parts.keys()):
        if name not in old.parts:
            yield f"{new.place(name)} is new"
        elif name not in new.parts:
            yield f"{old.place(name)} is gone"
        elif old.parts[name] != new.parts[name]:
            yield f"{new.place(name)} has changed"


def _code_before(own: Kept, others: Any) -> Kept | None:
    """Return the newest older copy of the same module from the same place."""
    older = [one for one in others if one.origin == own.origin and one.at < own.at]
    return max(older, key=lambda one: one.at, default=None)
