"""The pack: takes a listing, gives one mapped file of small images with an index, so that an epoch opens one file.

data.bin       the images one after another: raw H x W x 3 uint8, or JPEG
index.npz      offsets, shapes, labels, keys, groups of near-duplicates
manifest.json  version, format, classes, digest, what was left out, size and sha256 of the others; written last
"""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.content import file_digest, pairs_digest
from engine.core.data.duplicates import Print, group_prints, take_print
from engine.core.data.sources import Listing, Pixels
from engine.errors import DataError, HomeError
from engine.home import read_json, write_json

_simplejpeg: Any = importlib.import_module("simplejpeg") if importlib.util.find_spec("simplejpeg") else None

PACK_VERSION = 2
JPEG_QUALITY = 90
INDEX = ("offsets", "shapes", "labels", "keys", "groups")
FILES = ("data.bin", "index.npz")
Format = Literal["raw", "jpeg"]


@dataclass(frozen=True)
class Pack:
    """Packed images, by label and key.

    `labels` int64 (n,); `keys` the sha256 of each original; `digest` over classes and keys; `groups` int64 (n,), the
    first row of each image's group of near-duplicates; `skipped` the broken files that were left out.
    """

    labels: NDArray[np.int64]
    keys: list[str]
    class_names: tuple[str, ...]
    groups: NDArray[np.int64]
    digest: str
    format: Format
    skipped: tuple[str, ...]
    _data: NDArray[np.uint8]
    _offsets: NDArray[np.int64]
    _shapes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int) -> Pixels:
        """Return image `index`, H x W x 3 uint8. A raw one is a window on the mapped file: do not write to it."""
        span = self._data[self._offsets[index] : self._offsets[index + 1]]
        if self.format == "jpeg":
            return decode_jpeg(span.tobytes())
        height, width = self._shapes[index]
        return span.reshape(int(height), int(width), 3)

    @property
    def group_names(self) -> dict[str, str]:
        """Return key -> key of the group's first image, for the images that have near-duplicates."""
        shared = np.flatnonzero(np.bincount(self.groups, minlength=len(self))[self.groups] > 1)
        return {self.keys[row]: self.keys[self.groups[row]] for row in shared}


@dataclass(frozen=True)
class _Packed:
    """One image on its way into the pack."""

    raw: bytes
    shape: tuple[int, int]
    print: Print | None


@dataclass
class _Rows:
    """What the index will hold, as it grows."""

    sizes: list[int] = field(default_factory=list)
    shapes: list[tuple[int, int]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    prints: list[Print | None] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def write_pack(
    listing: Listing,
    folder: Path,
    short_side: int,
    progress: Callable[[int, int], None],
    *,
    format: Format = "raw",
    broken: Literal["stop", "skip"] = "stop",
) -> None:
    """Write the listing's images into `folder` (there and empty), the short side at most `short_side` pixels.

    `progress(done, all)` is called after each image. Raises DataError naming a broken file, unless `broken` is skip.
    """
    rows = _Rows()
    with open(folder / "data.bin", "wb") as data:
        items = _packed(listing, short_side, format)
        for number, (sample, item) in enumerate(zip(listing.samples, items, strict=True)):
            if isinstance(item, DataError):
                if broken == "stop":
                    raise item
                rows.skipped.append(item.where)
            else:
                data.write(item.raw)
                rows.sizes.append(len(item.raw))
                rows.shapes.append(item.shape)
                rows.prints.append(item.print)
                rows.labels.append(sample.label)
                rows.keys.append(sample.key)
            progress(number + 1, len(listing.samples))
    _check_classes(rows, listing.class_names)
    groups = group_prints(rows.prints)
    _write_index(folder, rows, groups)
    _write_manifest(folder, rows, listing.class_names, short_side, format, count_duplicates(rows.labels, groups))


def _packed(listing: Listing, short_side: int, format: Format) -> Iterator[_Packed | DataError]:
    """Yield each image packed, or its error, in order; a few at a time on threads (Pillow lets go of the lock)."""

    def pack_one(index: int) -> _Packed | DataError:
        try:
            pixels = shrink(listing.read(index), short_side)
        except DataError as error:
            return error
        raw = _jpeg_bytes(pixels) if format == "jpeg" else pixels.tobytes()
        return _Packed(raw, (pixels.shape[0], pixels.shape[1]), take_print(pixels))

    count, chunk = len(listing.samples), 64
    with ThreadPoolExecutor(max_workers=min(16, os.cpu_count() or 1)) as pool:
        for first in range(0, count, chunk):
            yield from pool.map(pack_one, range(first, min(first + chunk, count)))


def shrink(pixels: Pixels, short_side: int) -> Pixels:
    """Return the image with its short side at most `short_side`; a smaller one as it is."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    if short <= short_side:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(width * short_side / short)), max(1, round(height * short_side / short)))
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)


def decode_jpeg(raw: bytes) -> Pixels:
    """Return an RGB JPEG's pixels: by simplejpeg where it is installed (twice as fast, bit-equal), else by Pillow."""
    if _simplejpeg is not None:
        fast: Pixels = _simplejpeg.decode_jpeg(raw)
        return fast
    with Image.open(io.BytesIO(raw)) as image:
        return np.array(image, dtype=np.uint8)


def _jpeg_bytes(pixels: Pixels) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=JPEG_QUALITY)
    return held.getvalue()


def _check_classes(rows: _Rows, class_names: tuple[str, ...]) -> None:
    counts = np.bincount(np.array(rows.labels, dtype=np.int64), minlength=len(class_names))
    for name, count in zip(class_names, counts, strict=True):
        if count == 0:
            raise DataError(
                f"class {name!r} has no image that can be read",
                where="data",
                fix="mend its files, or leave the class out with data.classes",
            )


def count_duplicates(labels: Sequence[int], groups: NDArray[np.int64]) -> dict[str, int]:
    """Return how many groups of near-duplicates there are, the images in them, and the groups over several labels."""
    members: dict[int, list[int]] = {}
    for label, group in zip(labels, groups.tolist(), strict=True):
        members.setdefault(group, []).append(label)
    shared = [found for found in members.values() if len(found) > 1]
    across = sum(len(set(found)) > 1 for found in shared)
    return {"groups": len(shared), "images": sum(map(len, shared)), "across_labels": across}


def _write_index(folder: Path, rows: _Rows, groups: NDArray[np.int64]) -> None:
    offsets = np.concatenate([[0], np.cumsum(np.array(rows.sizes, dtype=np.int64))])
    keys = np.frombuffer(bytes.fromhex("".join(rows.keys)), dtype=np.uint8).reshape(-1, 32)
    shapes = np.array(rows.shapes, dtype=np.int64)
    labels = np.array(rows.labels, dtype=np.int64)
    np.savez(folder / "index.npz", offsets=offsets, shapes=shapes, labels=labels, keys=keys, groups=groups)


def _write_manifest(
    folder: Path,
    rows: _Rows,
    class_names: tuple[str, ...],
    short_side: int,
    format: Format,
    duplicates: dict[str, int],
) -> None:
    files = {name: {"size": (folder / name).stat().st_size, "sha256": file_digest(folder / name)} for name in FILES}
    manifest = {
        "version": PACK_VERSION,
        "format": format,
        "short_side": short_side,
        "count": len(rows.labels),
        "classes": list(class_names),
        "digest": pairs_digest((class_names[label], key) for label, key in zip(rows.labels, rows.keys, strict=True)),
        "skipped": rows.skipped,
        "duplicates": duplicates,
        "files": files,
    }
    write_json(folder / "manifest.json", manifest)


def is_valid_pack(folder: Path) -> bool:
    """Whether the pack is whole: manifest there, every file of the size and sha256 it states (reads everything)."""
    return _state_problem(folder, read_data=True) is None


def open_pack(folder: Path) -> Pack:
    """Map a pack. Sizes and the index's checksum are verified; raises DataError when they do not hold."""
    problem = _state_problem(folder, read_data=False)
    if problem is not None:
        raise DataError(problem, where=str(folder), fix="remove this folder and submit again: it is made anew")
    manifest = read_json(folder / "manifest.json")
    with np.load(folder / "index.npz") as index:
        offsets, shapes, labels, keys, groups = (index[name] for name in INDEX)
    return Pack(
        labels=labels,
        keys=[key.tobytes().hex() for key in keys],
        class_names=tuple(manifest["classes"]),
        groups=groups,
        digest=manifest["digest"],
        format=manifest["format"],
        skipped=tuple(manifest["skipped"]),
        _data=_map_file(folder / "data.bin"),
        _offsets=offsets,
        _shapes=shapes,
    )


def _map_file(path: Path) -> Pixels:
    """Map copy-on-write: the file stays as it is, and torch does not warn of read-only memory."""
    return np.asarray(np.memmap(path, dtype=np.uint8, mode="c"))


def _state_problem(folder: Path, *, read_data: bool) -> str | None:
    """Return what is wrong with the pack, or None."""
    try:
        manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if manifest["version"] != PACK_VERSION:
            return f"the pack is of version {manifest['version']}, this program reads {PACK_VERSION}"
        for name in FILES:
            stated = manifest["files"][name]
            if (folder / name).stat().st_size != stated["size"]:
                return f"{name} of the pack has another size than its manifest states"
            if (read_data or name != "data.bin") and file_digest(folder / name) != stated["sha256"]:
                return f"{name} of the pack is damaged"
    except FileNotFoundError as error:
        return f"the pack is not whole: {Path(error.filename).name} is missing"
    except (HomeError, DataError, KeyError, TypeError) as error:
        return f"the pack's manifest is damaged: {error}"
    return None
