"""A pack while it is being written: takes images in order, gives data.bin and what of it is complete after a kill.

data.bin grows shard by shard. `shards/<n>.npz`, written once its part of data.bin is on disk, says what that part holds
and its sha256. A later builder goes on behind the last complete shard; what follows it in data.bin is cut off.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.data.appending import append_synced, is_span_whole
from engine.core.data.duplicates import Thumb
from engine.core.data.likeness import THUMB_SIDE
from engine.core.data.sources import Sample
from engine.home.files import write_atomic

# What a kill can cost; more would wait for the disk less often.
SHARD_IMAGES = 512
FOLDER = "shards"


@dataclass(frozen=True)
class Packed:
    """One image on its way into the pack: its bytes, (height, width) in pixels, its thumbnail if it is large enough."""

    raw: bytes
    shape: tuple[int, int]
    thumb: Thumb | None


@dataclass
class ShardRows:
    """What the index will hold, as it grows: of image i the bytes, shape and thumbnail; where the skipped ones lie."""

    samples: list[Sample] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    shapes: list[tuple[int, int]] = field(default_factory=list)
    thumbs: list[Thumb | None] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, sample: Sample, item: Packed | None) -> None:
        """Add an image, or note that it was left out."""
        if item is None:
            self.skipped.append(sample.place)
            return
        self.samples.append(sample)
        self.sizes.append(len(item.raw))
        self.shapes.append(item.shape)
        self.thumbs.append(item.thumb)

    def extend(self, other: ShardRows) -> None:
        for name in ("samples", "sizes", "shapes", "thumbs", "skipped"):
            getattr(self, name).extend(getattr(other, name))


class PackShards:
    """The data.bin of `folder` and the shards that are complete in it; `mark` says how images are packed."""

    def __init__(self, folder: Path, mark: str) -> None:
        self._data, self._folder, self._mark = folder / "data.bin", folder / FOLDER, mark
        self._folder.mkdir(exist_ok=True)
        self._data.touch()

    def complete(self, chunks: list[list[Sample]]) -> list[ShardRows]:
        """Return the rows of the shards, from the first on, that are whole and of these samples; cut off the rest."""
        found: list[ShardRows] = []
        end = 0
        for number, chunk in enumerate(chunks):
            held = self._read(number, chunk)
            if held is None or not is_span_whole(self._data, end, sum(held[0].sizes), held[1]):
                break
            found.append(held[0])
            end += sum(held[0].sizes)
        os.truncate(self._data, end)
        return found

    def append(self, number: int, chunk: list[Sample], items: Iterable[Packed | None]) -> ShardRows:
        """Write a shard: its bytes first, each image as it comes, and to the disk, then what it holds."""
        rows, kept = ShardRows(), list[bool]()

        def packed() -> Iterator[bytes]:
            for sample, item in zip(chunk, items, strict=True):
                rows.add(sample, item)
                kept.append(item is not None)
                yield item.raw if item is not None else b""

        sha256 = append_synced(self._data, packed())
        held = io.BytesIO()
        np.savez(held, **_encode_rows(rows, np.array(kept)), mark=self._chunk_mark(chunk), sha256=sha256)
        write_atomic(self._folder / f"{number:06d}.npz", held.getvalue())
        return rows

    def clear(self) -> None:
        """Remove what only a later builder would have needed."""
        shutil.rmtree(self._folder)

    def _read(self, number: int, chunk: list[Sample]) -> tuple[ShardRows, str] | None:
        """Return a shard's rows and the sha256 of its bytes; None when it is absent, damaged or of other images."""
        try:
            # opened here, because numpy leaves a damaged file open
            with open(self._folder / f"{number:06d}.npz", "rb") as file, np.load(file) as held:
                if str(held["mark"]) != self._chunk_mark(chunk):
                    return None
                return _decode_rows(held, chunk), str(held["sha256"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def _chunk_mark(self, chunk: list[Sample]) -> str:
        # All that the index will say of these images: a listing that changed packs them again.
        lines = [self._mark, *(f"{sample.label} {sample.part} {sample.key} {sample.place}" for sample in chunk)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _encode_rows(rows: ShardRows, kept: NDArray[np.bool_]) -> dict[str, Any]:
    # Images without a thumbnail get a blank one, so that the arrays are equally long.
    blank = np.zeros((THUMB_SIDE, THUMB_SIDE), dtype=np.uint8)
    thumbs = [blank if one is None else one for one in rows.thumbs]
    return {
        "kept": kept,
        "sizes": np.array(rows.sizes, dtype=np.int64),
        "shapes": np.array(rows.shapes, dtype=np.int64).reshape(-1, 2),
        "printed": np.array([one is not None for one in rows.thumbs], dtype=bool),
        "thumbs": np.array(thumbs, dtype=np.uint8).reshape(-1, THUMB_SIDE, THUMB_SIDE),
    }


def _decode_rows(held: Any, chunk: list[Sample]) -> ShardRows:
    kept = held["kept"].tolist()
    thumbs = [thumb if there else None for there, thumb in zip(held["printed"].tolist(), held["thumbs"], strict=True)]
    return ShardRows(
        [sample for sample, there in zip(chunk, kept, strict=True) if there],
        held["sizes"].tolist(),
        [(int(height), int(width)) for height, width in held["shapes"]],
        thumbs,
        [sample.place for sample, there in zip(chunk, kept, strict=True) if not there],
    )
