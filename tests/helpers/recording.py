"""The order in which a program asks for things on the disk: takes a folder, gives each fsync, rename, link and removal.

Names are told as they lie under the folder, chance digits as `*`. Where something takes its final name before its
bytes were synced, the entry says so: ` (not synced)`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class DiskRecord:
    """Notes into `events`, in order: `sync A`, `replace A B`, `link A B`, `unlink A`."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.events: list[str] = []
        self._synced: dict[int, tuple[int, int]] = {}  # inode -> size and time of change, as they were then
        self._fsync = os.fsync
        patch.setattr(os, "fsync", self._note_sync)
        for name in ("replace", "rename", "link"):
            patch.setattr(os, name, self._noting(name, getattr(os, name)))
        patch.setattr(os, "unlink", self._noting("unlink", os.unlink))

    def _note_sync(self, handle: int) -> None:
        self._fsync(handle)
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        self._synced[path.stat().st_ino] = _look(path)
        self._note("sync", path)

    def _noting(self, kind: str, work: Callable[..., None]) -> Callable[..., None]:
        def noted(*paths: Any, **words: Any) -> None:
            known = kind == "unlink" or self._is_synced(Path(paths[0]))
            work(*paths, **words)  # what fails is not noted
            self._note(kind, *map(Path, paths), more="" if known else " (not synced)")

        return noted

    def _is_synced(self, path: Path) -> bool:
        return all(self._synced.get(one.stat().st_ino) == _look(one) for one in (path, *path.rglob("*")))

    def _note(self, kind: str, *paths: Path, more: str = "") -> None:
        if all(path.is_relative_to(self.root) for path in paths):
            names = (re.sub(r"[0-9a-f]{8}(?=\.tmp)", "*", str(path.relative_to(self.root))) for path in paths)
            self.events.append(" ".join((kind, *names)) + more)


def _look(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
