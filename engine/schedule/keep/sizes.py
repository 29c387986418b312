"""What files take of a disk: takes paths, gives bytes as the file system has set them aside, each file once.

Not the length of a file: of ten thousand small ones that is a fraction of what they take.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

BLOCK = 512  # bytes; what st_blocks counts, on any file system


class Ledger:
    """Counts files, each once: a result is a hard link to that of its attempt; what vanishes meanwhile is nothing."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()

    def count(self, path: Path) -> int:
        """Return the bytes that a file, or all below a folder, takes and that were not counted before."""
        return sum(size for _, size in self.walk(path))

    def walk(self, path: Path) -> Iterator[tuple[str, int]]:
        """Yield each path at and below `path` with its bytes; links are not followed."""
        with suppress(OSError):
            stat = path.lstat()
            yield str(path), self._take(stat)
            if os.path.isdir(path) and not path.is_symlink():
                yield from self._below(str(path))

    def _below(self, folder: str) -> Iterator[tuple[str, int]]:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return
        for entry in entries:
            with suppress(OSError):
                yield entry.path, self._take(entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    yield from self._below(entry.path)

    def _take(self, stat: os.stat_result) -> int:
        key = (stat.st_dev, stat.st_ino)
        if key in self._seen:
            return 0
        self._seen.add(key)
        return stat.st_blocks * BLOCK
