"""What was removed, for a day: takes paths of a home and its cache, moves them aside, and back, or away for good.

A removal is a folder `trash/<id>` with `removal.json`, written before anything moves: each entry says where its path
was, and lies below `items/` from when it was renamed. So a kill leaves every path in one of two places, and whoever
comes next knows which. Entries of the cache lie in the cache's own trash, as a rename stays on one file system.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import HomeError
from engine.home.files import read_object, write_json
from engine.home.paths import Home
from store.queue import Queue

KEPT_SECONDS = 86_400.0
GONE = ".gone"
# Longer than any removal takes to move its entries; afterwards whoever waits says so.
WAIT = 300.0
Place = Literal["home", "cache"]


class Entry(BaseModel):
    """A path from the root of the home or of its cache, and the bytes that it took."""

    model_config = ConfigDict(frozen=True)

    kind: str
    place: Place
    path: str
    bytes: Annotated[int, Field(ge=0)] = 0


class Removal(BaseModel):
    """What one command took: `experiments` whole, or the arms of one whose submission `restores` had them still."""

    model_config = ConfigDict(frozen=True)

    id: str
    command: str
    at: Annotated[float, Field(allow_inf_nan=False)]
    entries: tuple[Entry, ...]
    experiments: tuple[str, ...] = ()
    restores: int | None = None
    is_undone: bool = False
    """Whether somebody has begun to bring it back: what is back already is not to be removed again meanwhile."""

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)


@contextmanager
def removing(home: Home, wait: float = WAIT) -> Iterator[None]:
    """Hold what keeps submissions and other removals away. Raises HomeError when somebody else holds it for long."""
    try:
        with FileLock(home.keep_lock, timeout=wait):
            yield
    except Timeout as error:
        fix = "wait until it is done; xp status says what goes on here"
        raise HomeError("something else removes or submits here", where=str(home.keep_lock), fix=fix) from error


def begin_removal(
    home: Home, command: str, entries: Sequence[Entry], experiments: Sequence[str] = (), restores: int | None = None
) -> Removal:
    """Write down what is about to be taken. The caller holds `removing`."""
    removal = Removal(
        id=uuid.uuid4().hex[:12],
        command=command,
        at=time.time(),
        entries=tuple(entries),
        experiments=tuple(experiments),
        restores=restores,
    )
    (home.trash / removal.id / "items").mkdir(parents=True)
    if any(entry.place == "cache" for entry in entries):
        (home.cache_trash / removal.id).mkdir(parents=True)
    write_removal(home, removal)
    return removal


def write_removal(home: Home, removal: Removal) -> None:
    write_json(home.trash / removal.id / "removal.json", removal.model_dump(mode="json"))


def move_entries(home: Home, removal: Removal, numbers: Sequence[int] | None = None) -> int:
    """Rename entries (all where no numbers are given) into the trash; return how many of them were there."""
    moved = 0
    for number in range(len(removal.entries)) if numbers is None else numbers:
        here, aside = places_of(home, removal, number)
        moved += _rename(here, aside)
    return moved


def places_of(home: Home, removal: Removal, number: int) -> tuple[Path, Path]:
    """Return where an entry belongs and where it lies in the trash."""
    entry = removal.entries[number]
    if entry.place == "cache":
        return home.cache / entry.path, home.cache_trash / removal.id / str(number)
    return home.root / entry.path, home.trash / removal.id / "items" / str(number)


def _rename(here: Path, there: Path) -> bool:
    try:
        os.rename(here, there)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        fix = "it is a link to, or mounted from, elsewhere: remove it by hand if it is not needed"
        raise HomeError("it lies on another file system than the trash", where=str(here), fix=fix) from error
    return True


def put_back(home: Home, removal: Removal, number: int) -> bool:
    """Rename an entry back; False where there is another one of its name by now, or none in the trash."""
    here, aside = places_of(home, removal, number)
    if here.exists() or here.is_symlink():
        return False
    here.parent.mkdir(parents=True, exist_ok=True)
    return _rename(aside, here)


def lies_in_trash(home: Home, removal: Removal, number: int) -> bool:
    _, aside = places_of(home, removal, number)
    return aside.exists() or aside.is_symlink()


def list_removals(home: Home) -> list[Removal]:
    """Return what lies in the trash, the newest first; folders that say nothing readable are left alone."""
    found = []
    for path in home.trash.glob("*/removal.json"):
        with suppress(ValidationError):
            removal = Removal.model_validate(read_object(path))
            if removal.id == path.parent.name:
                found.append(removal)
    return sorted(found, key=lambda removal: -removal.at)


def finish_removals(home: Home, queue: Queue | None) -> list[str]:
    """Take out of the queue the experiments whose removal was cut off after their files had gone; return them."""
    if queue is None:
        return []
    gone = {name for removal in list_removals(home) for name in removal.experiments if removal.restores is None}
    left = sorted(name for name in gone & set(queue.experiment_names()) if not home.experiment(name).exists())
    for name in left:
        queue.remove_experiment(name)
    return left


def retire(home: Home, older: float = KEPT_SECONDS) -> int:
    """Take what was removed more than `older` seconds ago out of reach of an undo; return the bytes of it.

    The caller holds `removing`; `clear_retired` deletes it, which takes longer and needs no lock.
    """
    # Forward or back by a clock that was set: what is said to be of the future is of now.
    due = [one for one in list_removals(home) if not one.is_undone and time.time() - one.at >= older]
    for removal in due:
        drop_removal(home, removal)
    return sum(removal.bytes for removal in due)


def drop_removal(home: Home, removal: Removal) -> None:
    """Rename a removal, so that what is half deleted is never taken for something to bring back.

    The cache's part first: by the home's it is known whose it was.
    """
    for folder in (home.cache_trash / removal.id, home.trash / removal.id):
        _rename(folder, folder.with_name(folder.name + GONE))


def clear_retired(home: Home) -> None:
    """Delete what was retired, also by whoever was cut off."""
    for left in home.trash.glob(f"*{GONE}"):
        shutil.rmtree(home.cache_trash / left.name, ignore_errors=True)
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def queue_of(home: Home) -> Iterator[Queue | None]:
    """Give the queue of a home, None where there is none: to keep house makes none."""
    if not home.queue_db.exists():
        yield None
        return
    with Queue(home.queue_db) as queue:
        yield queue
