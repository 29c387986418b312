"""Files that grow by appending: takes bytes, gives their sha256 once they are on the disk; tells later if all is there.

What both the pack and a teacher's targets stand on when a kill comes between two shards.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def append_synced(path: Path, content: bytes) -> str:
    """Append to a file; when this returns the bytes are on the disk. Returns their sha256."""
    with open(path, "ab") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    return hashlib.sha256(content).hexdigest()


def is_span_whole(path: Path, start: int, size: int, sha256: str) -> bool:
    """Whether `size` bytes from `start` on are there and have that sha256."""
    if not path.is_file():
        return False
    with open(path, "rb") as held:
        held.seek(start)
        content = held.read(size)
    return len(content) == size and hashlib.sha256(content).hexdigest() == sha256
