"""gc: takes a home and a wish, moves what nothing needs into the trash, gives what went and why the rest stays.

Under a lock that submissions hold too, so that nothing comes to need a thing between the look and the move. The queue
is asked last: a job that runs, or that an experiment wants by now, stays whatever was seen before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from filelock import FileLock

from engine.home.paths import Home
from engine.home.users import other_users
from engine.schedule.keep.choose import CODE, IMAGES, Wish, choose
from engine.schedule.keep.needs import find_needs
from engine.schedule.keep.trash import (
    Entry,
    Removal,
    begin_removal,
    clear_retired,
    finish_removals,
    list_removals,
    move_entries,
    queue_of,
    removing,
    retire,
)
from engine.schedule.keep.undo import finish_undo
from engine.schedule.keep.usage import cached_job

EVERYTHING = Wish()


@dataclass(frozen=True)
class Swept:
    """What a sweep took, or would take: its entries, the trash's id, bytes deleted for good, and notes."""

    entries: tuple[Entry, ...]
    removal: str | None = None
    purged: int = 0
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)

    def counts(self) -> list[tuple[str, int, int]]:
        """Return kind, number and bytes, in the order in which things were found."""
        numbers = Counter(entry.kind for entry in self.entries)
        sizes: Counter[str] = Counter()
        for entry in self.entries:
            sizes[entry.kind] += entry.bytes
        return [(kind, numbers[kind], sizes[kind]) for kind in numbers]

    def as_json(self) -> dict[str, Any]:
        entries = [entry.model_dump() for entry in self.entries]
        about = {"removal": self.removal, "bytes": self.bytes, "purged": self.purged}
        return {**about, "entries": entries, "notes": list(self.notes)}


def sweep(home: Home, wish: Wish = EVERYTHING, *, dry_run: bool = False) -> Swept:
    """Take what nothing needs; with `dry_run` only say what that is. Deletes what has lain in the trash for a day.

    Raises HomeError where a file is damaged that would tell what is needed: then nothing goes.
    """
    if dry_run:
        return Swept(tuple(_choose(home, wish)), notes=_notes(home, wish))
    with removing(home):
        _finish(home)
        entries = _free_jobs(home, _choose(home, wish))
        removal = take(home, "xp gc", entries) if entries else None
        purged = retire(home)
    clear_retired(home)
    return Swept(tuple(entries), removal.id if removal else None, purged, _notes(home, wish))


def _finish(home: Home) -> None:
    """Bring what was cut off to its end before anybody looks at what is needed."""
    with queue_of(home) as queue:
        finish_removals(home, queue)
    for removal in list_removals(home):
        if removal.is_undone:
            finish_undo(home, removal)


def _choose(home: Home, wish: Wish) -> list[Entry]:
    needed = find_needs(home, with_history=wish.history)
    if _missing_users(home) or not (home.owns_cache or wish.shared_cache):
        return list(choose(home, needed, None, wish))
    # Entries have the ids of the same jobs in every home.
    others = [Home(other, home.cache) for other in other_users(home)]
    in_cache = {job for one in (needed, *map(find_needs, others)) for job in one}
    return list(choose(home, needed, in_cache, wish, others))


def _free_jobs(home: Home, entries: Sequence[Entry]) -> list[Entry]:
    """Take the jobs out of the queue; return the entries without those of jobs that it does not let go."""
    jobs = {job_of(entry) for entry in entries if entry.kind != "checkpoints"}
    with queue_of(home) as queue:
        kept = set(queue.remove_jobs(sorted(jobs - {""}))) if queue else set()
    return [entry for entry in entries if job_of(entry) not in kept]


def job_of(entry: Entry) -> str:
    """Return the job whose folder or entry of the cache this is, "" for what is a part of one, or no job's alone."""
    if entry.kind in (CODE, IMAGES):
        return ""
    path = PurePosixPath(entry.path)
    return "" if len(path.parts) > 2 else cached_job(path) if entry.place == "cache" else path.name


def take(home: Home, command: str, entries: Sequence[Entry]) -> Removal:
    """Move entries into the trash. No collector looks at job folders meanwhile."""
    removal = begin_removal(home, command, entries)
    with FileLock(home.ingest_lock):
        move_entries(home, removal)
    return removal


def empty(home: Home) -> int:
    """Delete all that lies in the trash for good; return the bytes of it."""
    with removing(home):
        _finish(home)
        purged = retire(home, older=0.0)
    clear_retired(home)
    return purged


def _notes(home: Home, wish: Wish) -> tuple[str, ...]:
    notes = []
    if missing := _missing_users(home):
        fix = f"remove its file in {home.cache_users} if it was deleted"
        notes.append(f"packs and targets stay: {missing[0]} uses this cache and cannot be looked at ({fix})")
    if not home.owns_cache:
        told = ", ".join(map(str, other_users(home))) or "none but this one"
        if wish.shared_cache:
            notes.append(f"what these homes need of the cache stays: {told}")
        else:
            notes.append(
                f"the cache {home.cache} is outside of this home and stays as it is: homes of an earlier xp may use it"
                f" and did not say so. Known are {told}; if these are all, --shared-cache takes what none of them needs"
            )
    return tuple(notes)


def _missing_users(home: Home) -> list[str]:
    return [str(other) for other in other_users(home) if not other.is_dir()]
