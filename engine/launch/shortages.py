"""What a machine runs out of: takes an error, a text or a folder, says in a few words what is lacking.

A full disk, no inodes left, a quota that is used up, too many open files, a home that is away: none is a fault of the
job that meets it. It ends with Exit.LACKING, spends nothing of its budgets, and goes on when there is some again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from engine.home.paths import Home

# Bytes that must be free before anything is started; a job that fills the disk loses its own checkpoints.
LEAST_ROOM = 64 << 20
# An attempt makes about thirty files and folders, one that goes on from another a few more.
LEAST_INODES = 500
SHARE = 50  # of a small file system, a fiftieth is enough
NO_SPACE = os.strerror(errno.ENOSPC)
FULL_DISK, NO_INODES = "the disk is full", "the disk has no inodes left for new files"
# A write into a file there that finds no room ends its process with SIGBUS.
SHARED_MEMORY = Path("/dev/shm")


def find_shortage(error: BaseException) -> str:
    """Return what the machine lacked where that is why `error` was raised, else ""; causes and contexts count too."""
    return next(filter(None, map(_name_shortage, error_chain(error))), "")


def _name_shortage(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in SHORTAGES:
        return SHORTAGES[error.errno]
    # Libraries hand on what the system said, and not its number.
    return read_shortage(str(error))


def error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def read_shortage(text: str) -> str:
    """Return what the machine lacked by the words that the system has for it, else ""."""
    return next((told for number, told in SHORTAGES.items() if os.strerror(number) in text), "")


def room_trouble(folder: Path) -> str:
    """Return why nothing should be written here, "" where 64 MB and 500 inodes are free, or a fiftieth of them all.

    Raises OSError when the folder cannot be looked at.
    """
    disk = os.statvfs(folder)
    # bavail, favail: what is left for a process that is not root's.
    if disk.f_bavail * disk.f_frsize < min(LEAST_ROOM, disk.f_blocks * disk.f_frsize // SHARE):
        return FULL_DISK
    # A file system that makes inodes as it needs them tells of none.
    if disk.f_files and disk.f_favail < min(LEAST_INODES, disk.f_files // SHARE):
        return NO_INODES
    return ""


def home_trouble(home: Home) -> str:
    """Return why nothing should be started in this home, whose cache may lie on another disk; "" when all is well.

    Raises OSError when the home cannot be looked at.
    """
    return room_trouble(home.root) or (room_trouble(home.cache) if home.cache.is_dir() else "")


SHORTAGES = {
    errno.ENOSPC: FULL_DISK,
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not grow further (see ulimit -f)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ESTALE: "the file system of the home went away",
    errno.EMFILE: "too many files are open in one process (see ulimit -n)",
}
