"""Files that grow by appending: takes bytes, gives their sha256 once they are on the disk; tells later if all is there.

What both the pack and a teacher's targets stand on when a kill comes between two shards.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

PIECE = 1 << 20  # bytes read at a time


def append_synced(path: Path, pieces: Iterable[bytes]) -> str:
    """Append to a file, piece by piece; when this returns the bytes are on the disk. Returns their sha256."""
    total = hashlib.sha256()
    with open(path, "ab") as out:
        for piece in pieces:
            out.write(piece)
            total.update(piece)
        out.flush()
        os.fsync(out.fileno())
    return total.hexdigest()


def is_span_whole(path: Path, start: int, size: int, sha256: str) -> bool:
    """Whether `size` bytes from `start` on are there and have that sha256."""
    if not path.is_file():
        return False
    total, left = hashlib.sha256(), size
    with open(path, "rb") as held:
        held.seek(start)
        while left and (piece := held.read(min(left, PIECE))):
            total.update(piece)
            left -= len(piece)
    return not left and total.hexdigest() == sha256
