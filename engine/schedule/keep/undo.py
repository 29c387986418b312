"""What was removed, back in its place: takes a removal of the trash, gives what came back and what could not.

Jobs and cache entries come first and experiments last, so that none is there without its jobs. Cut off, it is marked
as begun, and whoever comes next (another undo, a sweep) brings it to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from filelock import FileLock

from engine.errors import XpError
from engine.home.paths import Home
from engine.home.records import read_record
from engine.schedule.keep.trash import (
    Removal,
    clear_retired,
    drop_removal,
    lies_in_trash,
    list_removals,
    places_of,
    put_back,
    queue_of,
    removing,
    write_removal,
)
from engine.schedule.submit import write_again
from engine.schedule.worker.rebuild import add_again


@dataclass(frozen=True)
class Undone:
    """What came back of a removal, and the paths that did not, as others have their names by now."""

    removal: Removal
    back: int
    left: tuple[str, ...]
    notes: tuple[str, ...] = ()


def undo(home: Home, wanted: str | None = None) -> Undone:
    """Bring back what the newest removal took, or the one whose id begins so.

    What another has the name of by now stays in the trash. Raises XpError where there is no such removal.
    """
    with removing(home):
        return finish_undo(home, _find(list_removals(home), wanted))


def _find(removals: Sequence[Removal], wanted: str | None) -> Removal:
    if wanted is None and removals:
        return removals[0]
    found = [one for one in removals if wanted is not None and one.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not removals:
        fix = "what is removed can come back for a day; after that submit it again"
        raise XpError("the trash is empty: nothing can come back", where="xp undo", fix=fix)
    there = ", ".join(f"{one.id} ({one.command})" for one in removals[:5])
    what = f"{wanted!r} begins {len(found)} removals" if found else f"there is no removal {wanted!r}"
    raise XpError(what, where="xp undo", fix=f"what can come back: {there}")


def finish_undo(home: Home, removal: Removal) -> Undone:
    """Bring a removal back, or the rest of it. The caller holds `removing`."""
    removal = removal.model_copy(update={"is_undone": True})
    write_removal(home, removal)
    back = 0
    with FileLock(home.ingest_lock):
        # Backwards: what was taken last, the jobs of an experiment, is there before it.
        for number in sorted(range(len(removal.entries)), key=lambda at: removal.entries[at].kind == "experiment"):
            back += put_back(home, removal, number)
    notes = _queue_again(home, removal)
    left = [number for number in range(len(removal.entries)) if lies_in_trash(home, removal, number)]
    names = tuple(str(places_of(home, removal, number)[0]) for number in left)
    if left:
        write_removal(home, removal.model_copy(update={"is_undone": False}))
    else:
        drop_removal(home, removal)
        clear_retired(home)
    return Undone(removal, back, names, notes)


def _queue_again(home: Home, removal: Removal) -> tuple[str, ...]:
    notes = []
    with queue_of(home) as queue:
        for name in removal.experiments:
            records = home.records(name)
            if removal.restores is not None and records:
                note = write_again(home, name, removal.restores)
                records = home.records(name)
                notes += [note] if note else []
            if records and queue:
                add_again(home, queue, read_record(records[-1]))
    return tuple(notes)
