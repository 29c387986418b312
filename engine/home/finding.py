"""Which home is meant where nobody names one: takes a folder, looks for `.xp` in it and then upwards, as git does.

A home of a folder above counts up to the file system's end and the person's own folder, which is the last to be looked
at. In a folder that everybody may write, such as /tmp, it counts only if it is ours: what lies in a home is run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

NAME = ".xp"
# What `make_folders` makes: another program's folder of this name has none of them.
SIGNS = ("queue.db", "experiments", "jobs")
NAMED = ("XP_HOME", "XP_CACHE", "XP_LIMITS", "XP_MOST_CELLS")


def usual_root() -> Path:
    """Return XP_HOME, else the home of this folder or the nearest above, else where one of this folder would be."""
    named = os.environ.get("XP_HOME")
    return Path(named) if named else home_above() or Path(NAME)


def slipped_variables() -> list[str]:
    """Return a line for each variable that is set and nearly one of ours that is not: it would be passed over."""
    set_ones = [name for name in os.environ if name.startswith("XP") and name not in NAMED]
    near = {name: get_close_matches(name, NAMED, n=1, cutoff=0.8) for name in set_ones}
    return [
        f"the variable {name} means nothing here: did you mean {found[0]}?"
        for name, found in near.items()
        if found and found[0] not in os.environ
    ]


def home_above(folder: Path | None = None) -> Path | None:
    """Return the home of the nearest folder above, None where XP_HOME or this folder's own home comes first."""
    here = Path.cwd() if folder is None else folder.absolute()
    if os.environ.get("XP_HOME") or os.path.lexists(here / NAME):
        return None
    return next((place / NAME for place in _folders_above(here) if _is_home(place / NAME)), None)


def _folders_above(here: Path) -> Iterator[Path]:
    """Yield the folders above, nearest first, on the same file system, not beyond the person's own."""
    own, device = Path.home(), _device(here)
    place = here
    while place not in (own, place.parent):
        place = place.parent
        if device is None or _device(place) != device:
            return
        yield place


def _device(folder: Path) -> int | None:
    try:
        return folder.stat().st_dev
    except OSError:
        return None


def _is_home(folder: Path) -> bool:
    try:
        if not folder.is_dir() or not any((folder / sign).exists() for sign in SIGNS):
            return False
        is_open = bool(folder.parent.stat().st_mode & stat.S_IWOTH)
        return not is_open or folder.stat().st_uid == os.getuid()
    except OSError:  # a folder that may not be entered holds no home of ours
        return False
