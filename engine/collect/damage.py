"""What is not taken in: takes a home's files, gives the damaged ones as rows, so that a hole tells why it is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine.home.commits import Damage, counted_attempts, find_damage, read_compacted_sum
from engine.home.files import read_object
from engine.home.paths import Home, JobFolder
from store.results import is_readable


def job_damage(folder: JobFolder) -> list[Damage]:
    """Return the damage for which a job's figures are left out: its rows would be made of a file that is not whole."""
    return list(find_damage(folder)) or list(_find_unreadable(folder))


def _find_unreadable(folder: JobFolder) -> Iterator[Damage]:
    """Without a checksum there is only the reading: one file that cannot be read must not stop all the others."""
    for attempt in counted_attempts(folder, read_object(folder.result) or {}):
        if attempt.compacted.exists() and not read_compacted_sum(attempt) and not is_readable(attempt.compacted):
            yield Damage(attempt.compacted, "cannot be read")


def damage_rows(home: Home, found: Iterable[Damage], **whose: str) -> list[dict[str, Any]]:
    """Return the rows of `damaged`; `whose` is an experiment or a job."""
    nobody = {"experiment": None, "job": None}
    return [{**nobody, **whose, "file": one.path.relative_to(home.root).as_posix(), "what": one.what} for one in found]
