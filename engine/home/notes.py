"""What a person wrote about an experiment: takes tags and a text, keeps `experiments/<name>/notes.json`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import HomeError, XpError
from engine.home.files import read_object, write_json
from engine.home.paths import Home

TAG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
LONGEST = 10_000  # letters of a note


class Notes(BaseModel):
    """Tags, each once and in their order, and one text."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tags: tuple[Annotated[str, Field(max_length=64)], ...] = ()
    note: Annotated[str, Field(max_length=LONGEST)] = ""


def read_notes(home: Home, name: str) -> Notes:
    """Return what was written, nothing where there is no file. Raises HomeError for one that is damaged."""
    path = home.notes(name)
    if not path.exists():
        return Notes()
    try:
        return Notes.model_validate(read_object(path))
    except ValidationError as error:
        fix = "mend it, or remove it: it holds the tags and the note of this experiment alone"
        raise HomeError("the notes are damaged", where=str(path), fix=fix) from error


def change_tags(home: Home, name: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Notes:
    """Add and take away tags; return what there is then. Raises XpError for a word that is no tag, or was not there."""
    add, remove = list(add), list(remove)
    for tag in add:
        if not TAG.fullmatch(tag):
            fix = "use small letters, digits, - _ and ., 64 at most"
            raise XpError(f"{tag!r} is no tag", where="xp tag", fix=fix)
    with _held(home, name):
        notes = read_notes(home, name)
        for tag in remove:
            if tag not in notes.tags:
                there = ", ".join(notes.tags) or "none"
                raise XpError(f"{name} has no tag {tag!r}", where="xp tag", fix=f"its tags: {there}")
        tags = tuple(sorted({*notes.tags, *add} - set(remove)))
        return _write(home, name, notes.model_copy(update={"tags": tags}))


def write_note(home: Home, name: str, text: str) -> Notes:
    """Put a text in the place of the note; an empty one takes it away. Raises XpError for one that is too long."""
    if len(text) > LONGEST:
        fix = f"{LONGEST:,} at most; what is longer belongs into a file of your own"
        raise XpError(f"this note has {len(text):,} letters", where="xp note", fix=fix)
    # What came as an argument may hold bytes that are no text.
    text = text.encode(errors="replace").decode()
    with _held(home, name):
        return _write(home, name, read_notes(home, name).model_copy(update={"note": text}))


@contextmanager
def _held(home: Home, name: str) -> Iterator[None]:
    """Two that write at once must not lose a tag: the lock of the experiment's records."""
    with FileLock(home.experiment(name) / ".lock"):
        yield


def _write(home: Home, name: str, notes: Notes) -> Notes:
    write_json(home.notes(name), notes.model_dump(mode="json"))
    return notes
