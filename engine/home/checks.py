"""What can be no home: takes the paths of one, refuses those that not everything here can open, and makes the folders.

Before anything is written, so that a slip leaves nothing behind.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from engine.errors import HomeError
from engine.home.access import make_inside, make_root

# File systems of the kernel, in which nobody can put a file.
KERNEL = ("/proc", "/sys")
# What the results' database cuts or splits a path at: it would open another file, perhaps of another home.
UNUSABLE = "?\\"


def expand_folder(path: str | Path) -> Path:
    """Return a folder's whole path: no shell expands what stands behind `--home=` or in a file of settings."""
    return Path(os.path.expanduser(path)).absolute()


def check_names(root: Path, cache: Path) -> None:
    """Refuse, before anything is written, a path that not everything here can open. Raises HomeError."""
    name, fix = str(root), "name another folder with --home or XP_HOME, or rename this one"
    found = [letter for letter in UNUSABLE if letter in str(root.resolve())]
    if found:
        what = f"the path of a home may not hold {' or '.join(found)}: the results' database cannot open it"
        raise HomeError(what, where=name, fix=fix)
    for place in (Path(os.path.realpath(root)), Path(os.path.realpath(cache))):
        if place == place.parent or any(place.is_relative_to(kernel) for kernel in KERNEL):
            raise HomeError("there can be no home here: this folder is the system's", where=str(place), fix=fix)
    for path in (root, cache):
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            where = os.fsencode(path).decode(errors="replace")
            raise HomeError("the path is not UTF-8, which files here are written in", where=where, fix=fix) from error


def check_root(root: Path) -> None:
    """Refuse what is there and no folder, or can be none. Raises HomeError."""
    try:
        is_other = root.exists() and not root.is_dir()
    except OSError as error:  # a name that is too long, a folder above that may not be entered
        fix = "name another folder with --home or XP_HOME"
        raise HomeError(f"there can be no home here: {error.strerror}", where=str(root), fix=fix) from error
    if is_other:
        fix = "name a folder with --home or XP_HOME"
        raise HomeError("this is no folder, which a home is", where=str(root), fix=fix)


def check_kinds(files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Refuse a home in which something else has the place of one of its files or folders.

    Opening a pipe waits for ever, and a device has no end. Raises HomeError.
    """
    places = [*((path, stat.S_ISREG, "file") for path in files), *((path, stat.S_ISDIR, "folder") for path in folders)]
    for path, is_right, kind in places:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _wrong_kind(path, "is a link to itself") from error
            continue  # none yet; or one that we may not see, which whoever needs it says better
        if not is_right(mode):
            raise _wrong_kind(path, f"is no {kind}, as it has to be")


def _wrong_kind(path: Path, what: str) -> HomeError:
    fix = "move it away: xp makes its own again; what xp had there comes back from a copy"
    return HomeError(f"what lies here {what}", where=str(path), fix=fix)


def make_folders(root: Path, inside: Iterable[Path]) -> None:
    """Make a home and its folders. Raises HomeError."""
    try:
        make_root(root)
        for folder in inside:
            make_inside(folder, root)
    except OSError as error:
        fix = "name a folder that you may write with --home or XP_HOME (cache: XP_CACHE)"
        raise HomeError(f"cannot make the home folder: {error.strerror}", where=str(root), fix=fix) from error
