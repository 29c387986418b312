"""Who may read and write a home: takes its folder, gives the umask of those who write in it.

Logs, submissions and the changes of code may hold what is nobody else's business. So a home that xp makes is its
owner's alone (0700), and what is written in it too (0600, the queue's -wal and -shm as well). Where a group is to
share it, it is the group's (2770, files 0660): in a folder that hands its group down (chmod g+s) and that the group may
write, or under a umask that lets the group write. A home that is there stays as open as it is, and what is written in
it is as open as the home itself: `chmod 2770` on a home and `chmod -R g+rwX` on what it holds share it later.

What a command writes elsewhere, such as a report, is as the person's own umask has it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE, SHARED = 0o700, 0o2770
OTHERS = 0o077  # the bits of a mode that are not the owner's


def make_root(root: Path) -> None:
    """Make the folder of a home unless it is there, open to whom it should be."""
    if root.is_dir():
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    mode = SHARED if _is_shared(root.parent) else PRIVATE
    root.mkdir(mode=PRIVATE, exist_ok=True)
    # Past the umask, and with the bit that mkdir ignores.
    root.chmod(mode)


def make_inside(folder: Path, root: Path) -> None:
    """Make a folder of a home unless it is there, as open as the home, whatever the umask of who makes it."""
    is_new = not folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    if is_new and folder.is_relative_to(root):
        folder.chmod(stat.S_IMODE(root.stat().st_mode))


def _is_shared(parent: Path) -> bool:
    mode = parent.stat().st_mode
    return bool(mode & stat.S_ISGID and mode & stat.S_IWGRP) or not _read_umask() & stat.S_IWGRP


def _read_umask() -> int:
    umask = os.umask(OTHERS)
    os.umask(umask)
    return umask


def home_umask(root: Path) -> int | None:
    """Return the umask under which files are as open as the home they lie in; None where there is none."""
    try:
        return ~root.stat().st_mode & OTHERS
    except OSError:
        return None


def write_as_home(root: Path) -> None:
    """From now on, let what this process writes be as open as the home."""
    umask = home_umask(root)
    if umask is not None:
        before.append(os.umask(umask))


@contextmanager
def written_as_home(root: Path) -> Iterator[None]:
    """Inside, let what this process writes be as open as the home; for a process that is not all ours."""
    umask = home_umask(root)
    before_it = os.umask(OTHERS if umask is None else umask)
    try:
        yield
    finally:
        os.umask(before_it)


@contextmanager
def write_as_person() -> Iterator[None]:
    """Inside, let what is written be as open as the person's own umask has it, as it was before `write_as_home`."""
    if not before:
        yield
        return
    umask = os.umask(before[0])
    try:
        yield
    finally:
        os.umask(umask)


before: list[int] = []  # the umask that this process was started with, once it was changed
