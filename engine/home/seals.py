"""Checksums of what is there for good: takes JSON and files, gives what is written beside them and what broke since.

A sealed JSON object carries its own sha256 as `self`; a `FileSum` is what a sealed object says of a file. What an older
version of xp wrote has neither, and is read as before.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

SELF = "self"
CHUNK = 1 << 20


@dataclass(frozen=True)
class FileSum:
    """The first `bytes` bytes of a file and their sha256; `name` is the path from the folder that vouches for it."""

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, name: str, bytes: int | None = None) -> Self:
        """Read the file, or its first `bytes` bytes. Raises OSError where it cannot be read."""
        size, digest = sum_start(folder / name, bytes)
        return cls(name, size, digest)

    @classmethod
    def read(cls, told: Any) -> Self | None:
        """Return the sum that JSON tells of, None where it is none."""
        wanted = {"name": str, "bytes": int, "sha256": str}
        if not isinstance(told, dict) or not all(isinstance(told.get(name), kind) for name, kind in wanted.items()):
            return None
        return cls(told["name"], told["bytes"], told["sha256"])

    def is_outside(self) -> bool:
        """Whether the name leads out of the folder that vouches for it."""
        return PurePosixPath(self.name).is_absolute() or ".." in PurePosixPath(self.name).parts

    def problem(self, folder: Path, *, may_grow: bool = False) -> str | None:
        """Return what is wrong with the file now, None where it is as it was; with `may_grow` it may have gone on."""
        if self.is_outside():
            return "does not lie in the folder that tells of it"
        path = folder / self.name
        try:
            about = path.stat()
            if not stat.S_ISREG(about.st_mode):  # a pipe might never answer, a device has no end
                return "cannot be read: it is no regular file"
            size = about.st_size
            if size < self.bytes or (size > self.bytes and not may_grow):
                return f"has {size:,} bytes and had {self.bytes:,}"
            return None if sum_start(path, self.bytes)[1] == self.sha256 else "its checksum does not hold"
        except FileNotFoundError:
            return "is gone"
        except OSError as error:
            return f"cannot be read: {error.strerror}"


def sum_start(path: Path, most: int | None = None) -> tuple[int, str]:
    """Return how many bytes were read, at most `most`, and their sha256."""
    total, left = hashlib.sha256(), most
    with open(path, "rb") as handle:
        while block := handle.read(CHUNK if left is None else min(CHUNK, left)):
            total.update(block)
            left = None if left is None else left - len(block)
        return handle.tell(), total.hexdigest()


def seal(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with its own checksum in it."""
    return {**value, SELF: digest_of_object(value)}


def is_sealed(value: Mapping[str, Any]) -> bool:
    """Whether the object says what its checksum is."""
    return SELF in value


def holds(value: Mapping[str, Any]) -> bool:
    """Whether a sealed object is as it was written: spaces and the order of keys do not count."""
    return value.get(SELF) == digest_of_object(value)


def digest_of_object(value: Mapping[str, Any]) -> str:
    """Return the sha256 of an object's JSON without its `self`."""
    kept = {key: item for key, item in value.items() if key != SELF}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
