"""Files that grow shard by shard: takes rows in order, gives files whose finished part outlives any kill.

    <name>.bin    rows, appended
    shards.json   what they are of, and the bytes and sha256 of each finished shard; replaced after each one's fsync

A later attempt goes on behind the last shard that is whole. What follows it is cut off and written again, to the same
bits, because rows are always asked for in the same batches.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.core.data.appending import append_synced, is_span_whole
from engine.errors import HomeError
from engine.home.files import read_json, write_json

LIST = "shards.json"


@dataclass(frozen=True)
class Shard:
    """A finished stretch of a file."""

    file: str
    bytes: int
    sha256: str


class TargetShards:
    """Appends to the files of `folder`. `of` says what they belong to: what is there of anything else is removed."""

    def __init__(self, folder: Path, of: str) -> None:
        self.folder, self.of = folder, of
        self.shards: list[Shard] = []
        for shard in _listed(folder, of):
            if not is_span_whole(folder / shard.file, self.size(shard.file), shard.bytes, shard.sha256):
                break
            self.shards.append(shard)
        self._cut_rest()

    def size(self, file: str) -> int:
        """Return how many bytes of `file` are finished."""
        return sum(shard.bytes for shard in self.shards if shard.file == file)

    def append(self, file: str, rows: NDArray[Any]) -> None:
        """Write one shard; when this returns it is on the disk."""
        raw = rows.tobytes()
        self.shards.append(Shard(file, len(raw), append_synced(self.folder / file, [raw])))
        write_json(self.folder / LIST, {"of": self.of, "shards": [vars(shard) for shard in self.shards]})

    def finish(self) -> None:
        """The files are whole: their manifest says the rest."""
        (self.folder / LIST).unlink(missing_ok=True)

    def _cut_rest(self) -> None:
        for path in self.folder.iterdir():
            if path.suffix == ".bin" and self.size(path.name):
                os.truncate(path, self.size(path.name))
            elif path.name != LIST or not self.shards:
                path.unlink()


def _listed(folder: Path, of: str) -> list[Shard]:
    try:
        held = read_json(folder / LIST)
        return [Shard(**shard) for shard in held["shards"]] if held["of"] == of else []
    except (FileNotFoundError, HomeError, KeyError, TypeError):
        return []
