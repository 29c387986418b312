"""What an attempt left to look at: takes its folder, gives its files, and the one that a name in an address means.

Only what is listed is given: a name is looked up among the regular files below artifacts/, never joined to a path, and
no link is followed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.home.paths import AttemptFolder

MOST_FILES = 500
MOST_TEXT = 64 << 10  # bytes of JSON that stand on the page
KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
# A picture may hold script: this takes it away, and a browser may not guess another kind.
HEADERS = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
           "x-content-type-options": "nosniff"}  # fmt: skip


@dataclass(frozen=True)
class Artifact:
    """A file: its name below artifacts/, with slashes, its bytes, and where it lies."""

    name: str
    size: int
    path: Path

    @property
    def kind(self) -> str:
        """Its media type, where a page shows it as a picture; else that of bytes to be saved."""
        return KINDS.get(self.path.suffix.lower(), "application/octet-stream")

    @property
    def is_picture(self) -> bool:
        return self.path.suffix.lower() in KINDS

    @property
    def text(self) -> str:
        """JSON as lines, where it is short; nothing for what is no JSON."""
        if self.path.suffix.lower() != ".json" or self.size > MOST_TEXT:
            return ""
        try:
            return json.dumps(json.loads(self.path.read_bytes()), indent=1, ensure_ascii=False)
        except (ValueError, OSError, RecursionError):
            return ""


def list_artifacts(attempt: AttemptFolder) -> list[Artifact]:
    """Return the files below artifacts/, by name, at most MOST_FILES."""
    found = sorted(_walk(attempt.artifacts, ""), key=lambda one: one.name)
    return found[:MOST_FILES]


def find_artifact(attempt: AttemptFolder, name: str) -> Artifact | None:
    """Return the file of that name, if it is listed."""
    return next((one for one in list_artifacts(attempt) if one.name == name), None)


def _walk(folder: Path, before: str) -> Iterator[Artifact]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _walk(Path(entry.path), f"{before}{entry.name}/")
                elif entry.is_file(follow_symlinks=False):
                    yield Artifact(before + entry.name, entry.stat(follow_symlinks=False).st_size, Path(entry.path))
    except (FileNotFoundError, NotADirectoryError):
        return
