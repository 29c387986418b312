"""The pack: takes a listing, gives one mapped file of small images with an index, so that an epoch opens one file.

data.bin       the images one after another: raw H x W x 3 uint8, or JPEG
index.npz      offsets, shapes, labels, keys, groups of near-duplicates, the folder (train, val, test) each came in,
               the part of ImageNet that its name tells
manifest.json  version, format, classes, digest, what was left out, size and sha256 of the others; written last
"""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.core.data.decode import BUDGET, SKIP, Pixels
from engine.core.data.duplicates import group_thumbs, make_thumb
from engine.core.data.prefetch import keep_ahead
from engine.core.data.shards import SHARD_IMAGES, Packed, PackShards, ShardRows
from engine.core.data.sources import ChangedImage, Listing
from engine.errors import DataError, HomeError
from engine.home.files import read_json, write_json
from engine.home.seals import holds, is_sealed, seal
from engine.inputs.content import file_digest
from engine.inputs.image_index import name_groups
from engine.inputs.origins import ORIGINS, Origin
from engine.spec.identity import PACK_VERSION

_simplejpeg: Any = importlib.import_module("simplejpeg") if importlib.util.find_spec("simplejpeg") else None

# About 30 KB an image at a short side of 256: a quarter of ImageNet's originals.
JPEG_QUALITY = 90
AHEAD = 64  # images that wait to be written
LONGEST = 16
"""A packed image has at most as many pixels as this many squares of the short side, in a row."""
READ_BYTES = 4 << 30
"""A data.bin of at most so many bytes is read and held against its sha256 whenever it is opened, once a job.

Measured on one core: 0.7 s a GiB, so 3 s at most, beside a first epoch that reads all of it too and takes 13 times as
long to decode it alone. 4 GiB hold the 130,000 JPEGs of a hundred classes of ImageNet. Of a larger one only the size is
looked at: its bytes are read when it is made, and by `xp doctor --deep`.
"""
MOST_SHORT = 1 << 20  # pixels that any packed image may have
INDEX = ("offsets", "shapes", "labels", "keys", "groups", "parts", "origins")
GIVEN = ("", "train", "val", "test")
FILES = ("data.bin", "index.npz")
Format = Literal["raw", "jpeg"]


@dataclass(frozen=True, eq=False)
class Pack:
    """Packed images, by label and key.

    `labels` int64 (n,); `keys` the sha256 of each original; `digest` over classes, parts and keys of all that was
    listed; `groups` int64 (n,), the first row of each image's group of near-duplicates; `parts` the folder (train, val,
    test or none) that each came in, `origins` the part of ImageNet (train, val or none) that its name
    told; `skipped` the broken files that were left out. `decoded_caches` are the decoded copies that loaders share
    (decoded_cache.py).
    """

    labels: NDArray[np.int64]
    keys: list[str]
    class_names: tuple[str, ...]
    groups: NDArray[np.int64]
    parts: list[str]
    origins: list[Origin]
    digest: str
    format: Format
    skipped: tuple[str, ...]
    _data: NDArray[np.uint8]
    _offsets: NDArray[np.int64]
    _shapes: NDArray[np.int64]
    decoded_caches: dict[tuple[str, str], Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int) -> Pixels:
        """Return image `index`, H x W x 3 uint8. A raw one is a window on the mapped file: do not write to it."""
        span = self._data[self._offsets[index] : self._offsets[index + 1]]
        if self.format == "jpeg":
            return decode_jpeg(span.tobytes())
        return span.reshape(*self.size(index), 3)

    def size(self, index: int) -> tuple[int, int]:
        """Return image `index`'s height and width in pixels."""
        height, width = self._shapes[index]
        return int(height), int(width)

    @property
    def group_names(self) -> dict[str, str]:
        """Return key -> key of the group's first image, for the images that have near-duplicates."""
        return name_groups(self.keys, self.groups)


def write_pack(
    listing: Listing,
    folder: Path,
    short_side: int,
    progress: Callable[[int, int], None],
    *,
    format: Format = "raw",
    broken: Literal["stop", "skip"] = "stop",
) -> int:
    """Write the listing's images into `folder`, the short side at most `short_side` pixels.

    The folder is there, empty or as an earlier call left it that was killed: complete shards are kept, and how many
    images they hold is returned. `progress(done, all)` is called after each image and once for those. Raises DataError
    naming a broken file, unless `broken` is skip.
    """
    samples, rows = list(listing.samples), ShardRows()
    spans = [range(first, min(first + SHARD_IMAGES, len(samples))) for first in range(0, len(samples), SHARD_IMAGES)]
    chunks = [samples[span.start : span.stop] for span in spans]
    shards = PackShards(folder, f"{PACK_VERSION} {short_side} {format} {JPEG_QUALITY} {broken}")
    for held in (found := shards.complete(chunks)):
        rows.extend(held)
    if done := sum(map(len, chunks[: len(found)])):
        progress(done, len(samples))
    with ThreadPoolExecutor(max_workers=pack_threads()) as pool:
        for number in range(len(found), len(chunks)):
            packed = _pack_span(listing, spans[number], short_side, format, pool)
            told = partial(_tell_on, progress, spans[number].start, len(samples))
            # An error leaves its images behind in data.bin, as a kill does: the next builder cuts them off.
            rows.extend(shards.append(number, chunks[number], _keep(packed, broken, told)))
    _finish(folder, rows, listing, short_side, format)
    # Only when the manifest is there: until then a kill needs them.
    shards.clear()
    return done


def _tell_on(progress: Callable[[int, int], None], before: int, count: int, done: int) -> None:
    progress(before + done, count)


def _keep(
    packed: Iterable[Packed | DataError], broken: Literal["stop", "skip"], progress: Callable[[int], None]
) -> Iterator[Packed | None]:
    """Yield the images, None for a broken one; raise its error where that is to stop the pack."""
    for done, item in enumerate(packed, 1):
        if isinstance(item, DataError) and broken == "stop":
            raise item
        yield item if isinstance(item, Packed) else None
        progress(done)


def pack_threads() -> int:
    """Return how many threads pack: one for each processor that this process may use, 16 at most."""
    return min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _pack_span(
    listing: Listing, span: range, short_side: int, format: Format, pool: ThreadPoolExecutor
) -> Iterator[Packed | DataError]:
    """Yield each image packed, or its error, in order, a few ahead on threads (Pillow releases the GIL)."""

    def pack_one(index: int) -> Packed | DataError:
        try:
            with BUDGET.scope():
                pixels = shrink(listing.read(index), short_side)
            _check_length(pixels, short_side, listing.samples[index].place)
        except ChangedImage:
            # A changed file is no broken one: it stops the pack even where those are skipped.
            raise
        except DataError as error:
            return error
        raw = encode_jpeg(pixels) if format == "jpeg" else pixels.tobytes()
        return Packed(raw, (pixels.shape[0], pixels.shape[1]), make_thumb(pixels))

    yield from keep_ahead(pool, pack_one, span, AHEAD)


def _finish(folder: Path, rows: ShardRows, listing: Listing, short_side: int, format: Format) -> None:
    """Write the index and, last of all, the manifest."""
    _check_classes(rows, listing.class_names)
    groups = group_thumbs(rows.thumbs)
    _write_index(folder, rows, groups)
    labels = [sample.label for sample in rows.samples]
    files = {name: {"size": (folder / name).stat().st_size, "sha256": file_digest(folder / name)} for name in FILES}
    manifest = {
        "version": PACK_VERSION,
        "format": format,
        "short_side": short_side,
        "count": len(rows.samples),
        "classes": list(listing.class_names),
        "digest": listing.digest,
        "skipped": rows.skipped,
        "duplicates": count_duplicates(labels, groups),
        "files": files,
    }
    write_json(folder / "manifest.json", seal(manifest))


def shrink(pixels: Pixels, short_side: int) -> Pixels:
    """Return the image with its short side at most `short_side`; a smaller one as it is."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    if short <= short_side:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(width * short_side / short)), max(1, round(height * short_side / short)))
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)


def _check_length(pixels: Pixels, short_side: int, where: str) -> None:
    """Raise DataError for an image so much longer than wide that a few of them would fill the memory."""
    height, width = pixels.shape[:2]
    if height * width > max(MOST_SHORT, LONGEST * short_side**2):
        what = f"this image has a side {max(height, width) / min(height, width):,.0f} times as long as the other"
        fix = f"cut it into pieces, remove it, {SKIP}"
        raise DataError(f"{what}, and is packed as {width:,} x {height:,} pixels", where=where, fix=fix)


def decode_jpeg(raw: bytes) -> Pixels:
    """Return an RGB JPEG's pixels: by simplejpeg where it is installed (twice as fast, bit-equal), else by Pillow."""
    if _simplejpeg is not None:
        fast: Pixels = _simplejpeg.decode_jpeg(raw)
        return fast
    with Image.open(io.BytesIO(raw)) as image:
        return np.array(image, dtype=np.uint8)


def encode_jpeg(pixels: Pixels) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=JPEG_QUALITY)
    return held.getvalue()


def _check_classes(rows: ShardRows, class_names: tuple[str, ...]) -> None:
    counts = np.bincount(
        np.array([sample.label for sample in rows.samples], dtype=np.int64), minlength=len(class_names)
    )
    for name, count in zip(class_names, counts, strict=True):
        if count == 0:
            raise DataError(
                f"class {name!r} has no image that can be read",
                where="data",
                fix="repair its files, or leave the class out with data.classes",
            )


def count_duplicates(labels: Sequence[int], groups: NDArray[np.int64]) -> dict[str, int]:
    """Return how many groups of near-duplicates there are, the images in them, and the groups over several labels."""
    members: dict[int, list[int]] = {}
    for label, group in zip(labels, groups.tolist(), strict=True):
        members.setdefault(group, []).append(label)
    shared = [found for found in members.values() if len(found) > 1]
    across = sum(len(set(found)) > 1 for found in shared)
    return {"groups": len(shared), "images": sum(map(len, shared)), "across_labels": across}


def _write_index(folder: Path, rows: ShardRows, groups: NDArray[np.int64]) -> None:
    keys = bytes.fromhex("".join(sample.key for sample in rows.samples))
    np.savez(
        folder / "index.npz",
        offsets=np.concatenate([[0], np.cumsum(np.array(rows.sizes, dtype=np.int64))]),
        shapes=np.array(rows.shapes, dtype=np.int64),
        labels=np.array([sample.label for sample in rows.samples], dtype=np.int64),
        keys=np.frombuffer(keys, dtype=np.uint8).reshape(-1, 32),
        groups=groups,
        parts=np.array([GIVEN.index(sample.part) for sample in rows.samples], dtype=np.int8),
        origins=np.array([ORIGINS.index(sample.origin) for sample in rows.samples], dtype=np.int8),
    )


def is_valid_pack(folder: Path) -> bool:
    """Whether the pack is whole: manifest there, every file of the size and sha256 it states (reads everything)."""
    return pack_problem(folder, read_data=True) is None


def open_pack(folder: Path) -> Pack:
    """Map a pack, its checksums verified; raises DataError when one does not hold.

    Of a data.bin beyond READ_BYTES only the size is. What changes on the disk while it is mapped nobody notices.
    """
    problem = pack_problem(folder, read_data=_is_quick(folder))
    if problem is not None:
        raise DataError(problem, where=str(folder), fix="remove this folder and submit again: it is made again")
    manifest = read_json(folder / "manifest.json")
    with np.load(folder / "index.npz") as index:
        offsets, shapes, labels, keys, groups, parts, origins = (index[name] for name in INDEX)
    return Pack(
        labels=labels,
        keys=[key.tobytes().hex() for key in keys],
        class_names=tuple(manifest["classes"]),
        groups=groups,
        parts=[GIVEN[part] for part in parts.tolist()],
        origins=[ORIGINS[origin] for origin in origins.tolist()],
        digest=manifest["digest"],
        format=manifest["format"],
        skipped=tuple(manifest["skipped"]),
        _data=_map_file(folder / "data.bin"),
        _offsets=offsets,
        _shapes=shapes,
    )


def _is_quick(folder: Path) -> bool:
    data = folder / "data.bin"
    return data.is_file() and data.stat().st_size <= READ_BYTES


def _map_file(path: Path) -> Pixels:
    """Map copy-on-write: the file stays as it is, and torch does not warn of read-only memory."""
    return np.asarray(np.memmap(path, dtype=np.uint8, mode="c"))


def pack_problem(folder: Path, *, read_data: bool) -> str | None:
    """Return what is wrong with the pack, or None. The manifest of an older one has no checksum of its own."""
    try:
        manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if manifest["version"] != PACK_VERSION:
            return f"the pack is of version {manifest['version']}, this program reads {PACK_VERSION}"
        if is_sealed(manifest) and not holds(manifest):
            return "the pack's manifest is damaged: its checksum does not hold"
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
