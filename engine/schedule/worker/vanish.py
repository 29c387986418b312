"""A home that is no longer there: takes a home, gives a guard that ends whoever works on it, and says why.

A folder that was deleted ends its scheduler at once. One that cannot be reached (a network file system that went away,
an unmounted disk, a folder that was moved) may come back: that is waited for, and then everything is read anew.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress

from engine.errors import HomeError
from engine.home.paths import Home

BRING_BACK = "bring it back and submit again: what has a result is not done twice"
LOOK = 1.0  # seconds between looks for a home that is away


class VanishedHome(HomeError):
    """The folder that a scheduler works on was deleted or replaced; to go on would make another one in its place."""


class AwayHome(VanishedHome):
    """It cannot be reached and was not deleted as far as can be seen: it may come back."""


class HomeGuard:
    """Knows a home's folder by its inode, as another one may have come under its name. Holds it open until `close`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.mark = self._look()
        # What is held open tells whether it was deleted, wherever its name leads now.
        self.held = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY)

    def check(self) -> None:
        """Raise VanishedHome when the folder is gone or another one. Where it may not be seen, that is not said."""
        with suppress(PermissionError):
            try:
                now = self._look()
            except PermissionError:
                raise
            except OSError as error:
                raise self._gone(f"cannot be reached ({error.strerror})", is_away=True) from error
            if now != self.mark:
                raise self._gone(
                    "is gone" if now is None else "is not the one that was worked on", not self._is_deleted()
                )

    def is_there(self) -> bool:
        try:
            self.check()
        except VanishedHome:
            return False
        return True

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.held)

    def _gone(self, what: str, is_away: bool) -> VanishedHome:
        kind = AwayHome if is_away else VanishedHome
        return kind(f"the home folder {what}", where=str(self.home.root), fix=BRING_BACK)

    def _is_deleted(self) -> bool:
        """Return whether no name leads to the folder any more; where that cannot be asked, it was not."""
        try:
            return os.fstat(self.held).st_nlink == 0
        except OSError as error:
            # The server of a network file system says so when the folder is no longer there.
            return error.errno == errno.ENOENT

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.home.root)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino


def wait_back(home: Home, seconds: float, pause: Callable[[float], bool]) -> bool:
    """Return whether the home is there again within `seconds`; `pause` sleeps, and returns True to end the wait."""
    end = time.monotonic() + seconds
    while not is_home(home):
        if time.monotonic() >= end or pause(min(LOOK, seconds)):
            return False
    return True


def is_home(home: Home) -> bool:
    """Return whether there is a home: the bare folder that a disk is mounted on is none."""
    try:
        return home.experiments_root.is_dir() and home.jobs_root.is_dir()
    except OSError:
        return False
