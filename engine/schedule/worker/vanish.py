"""A home that is no longer there: takes a home, gives a guard that ends whoever works on it, and says why."""

from __future__ import annotations

import os
from contextlib import suppress

from engine.errors import HomeError
from engine.home.paths import Home

BRING_BACK = "bring it back and submit again: what has a result is not done twice"


class VanishedHome(HomeError):
    """The folder that a scheduler works on was deleted or replaced; to go on would make another one in its place."""


class HomeGuard:
    """Knows a home's folder by its inode, as another one may have come under its name."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.mark = self._look()

    def check(self) -> None:
        """Raise VanishedHome when the folder is gone or another one. Where it cannot be seen, that is not said."""
        with suppress(PermissionError):
            now = self._look()
            if now != self.mark:
                what = "is gone" if now is None else "is not the one that was worked on"
                raise VanishedHome(f"the home folder {what}", where=str(self.home.root), fix=BRING_BACK)

    def is_there(self) -> bool:
        try:
            self.check()
        except VanishedHome:
            return False
        return True

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.home.root)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino
