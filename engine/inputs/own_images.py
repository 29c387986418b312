"""Images that a source of somebody's own gave: takes its settled name, options and root, gives the folder they lie in.

They are written once, as class folders in the cache, and from there on are a folder of images like any other. Written
anew where the code says something else, has other options, or what lies at `data.root` has changed; what else the code
may read nobody can know.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.home.paths import Home
from engine.spec.identity import digest_of

DONE = "done.json"
KEY_DIGITS = 24
IMAGES_KEY = re.compile(rf"[0-9a-f]{{{KEY_DIGITS}}}")


def images_folder(home: Home, settled: str, options: Mapping[str, Any], root: Path | None) -> Path:
    """Return where these images lie, or will."""
    read = {"place": str(root), "state": tree_mark(root)} if root else None
    return images_root(home) / digest_of([settled, dict(options), read])[:KEY_DIGITS]


def images_root(home: Home) -> Path:
    return home.cache / "own_images"


def is_whole(folder: Path) -> bool:
    return (folder / DONE).is_file()


def tree_mark(root: Path) -> str:
    """Return a digest of the names, sizes and times of all files at or below a path: no file is read."""
    total = hashlib.sha256()
    for path in sorted(_list_files(root)):
        status = path.stat()
        total.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def _list_files(root: Path) -> list[Path]:
    if not root.is_dir():
        return [root]
    found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return [path for path in found if path.is_file()]
