"""Why results cannot be collected: takes a home and an error, says what is wrong and what to do."""

from __future__ import annotations

import os

from engine.errors import HomeError
from engine.home.paths import Home
from engine.launch.shortages import find_shortage, home_trouble
from store.readonly import StoreError
from store.results import StoreFault


def is_readonly(home: Home) -> bool:
    """Whether a home can only be read. Raises HomeError where it is gone, or has nothing published to read."""
    if not home.root.is_dir():
        raise HomeError("the home folder is gone", where=str(home.root), fix="restore it, or name another with --home")
    if os.access(home.root, os.W_OK):
        return False
    if not home.results_db.exists():
        fix = "make it writable, or copy it to where you may write and name that with --home"
        raise HomeError("nothing was published here, and the home cannot be written", where=str(home.root), fix=fix)
    return True


def store_trouble(home: Home, error: StoreError | StoreFault) -> HomeError:
    """Say what is wrong with the results; a disk without room is no damage, and needs no copy."""
    lack = find_shortage(error) or home_trouble(home)
    if lack:
        fix = "make room, then give the command again; nothing is lost"
        return HomeError(f"the results cannot be written: {lack}", where=str(home.root), fix=fix)
    fix = getattr(error, "fix", "") or "restore the file from a copy, then `xp rebuild`"
    return HomeError(str(error).splitlines()[0], where=str(home.root), fix=fix)
