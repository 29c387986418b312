"""The tensors of a weights file alone: takes a .safetensors file, gives a digest that its header does not change.

Other tools that save a network again drop the metadata and may order the tensors in another way: the digest is over
name, dtype, shape and bytes of each, by name, and stays. In another dtype, under other names or with one tensor more
a network has another digest: xp does not know such a copy, and it is of unknown training.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import safetensors

from engine.errors import DataError
from engine.inputs.content import file_mark, keep_digests, read_digests
from engine.inputs.weights import stored_shapes

TENSORS = "xp.tensors"  # the digest, in the metadata of a file that xp wrote
CHUNK = 1 << 20


@dataclass(frozen=True, order=True)
class Slot:
    """A tensor of a file, and where its bytes lie, from the end of the header on."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def kind(self) -> tuple[str, str, tuple[int, ...]]:
        return self.name, self.dtype, self.shape


def tensors_digest(source: Path | bytes) -> str:
    """Return the sha256 over name, dtype, shape and bytes of each tensor, in the order of the names.

    `source` is a file or its content. Raises DataError for a file that is none of safetensors or is cut short.
    """
    if isinstance(source, bytes):
        return _digest(io.BytesIO(source))
    stored_shapes(source)  # says what is wrong with it
    with open(source, "rb") as handle:
        return _digest(handle)


def tensors_layout(file: Path) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    """Return name, dtype and shape of each tensor, by name. Raises DataError as `tensors_digest` does."""
    stored_shapes(file)
    with open(file, "rb") as handle:
        return tuple(slot.kind for slot in _read_slots(handle)[1])


def kept_digest(file: Path, cache: Path) -> str:
    """Return `tensors_digest(file)`, from `cache` (JSON) where path, size and mtime are as they were."""
    place, mark = str(file.absolute()), file_mark(file)
    known = read_digests(cache).get(place)
    if known is not None and known[0] == mark:
        return known[1]
    digest = tensors_digest(file)
    keep_digests(cache, {place: (mark, digest)})
    return digest


def stated_digest(file: Path) -> str | None:
    """Return what the header says that the digest was when xp wrote the file, None where it says nothing."""
    try:
        with safetensors.safe_open(file, framework="np") as stored:
            return (stored.metadata() or {}).get(TENSORS)
    except (safetensors.SafetensorError, OSError):
        return None


def are_changed(file: Path, cache: Path) -> bool:
    """Whether the header is that of other tensors: somebody trained on, and kept what xp had written there."""
    stated = stated_digest(file)
    try:
        return stated is not None and stated != kept_digest(file, cache)
    except DataError:
        return True


def _digest(handle: BinaryIO) -> str:
    start, slots = _read_slots(handle)
    total = hashlib.sha256()
    for slot in slots:
        # A line says how many bytes follow it, so different tensors cannot give the same text.
        total.update(json.dumps(slot.kind).encode() + b"\n")
        for chunk in _read_chunks(handle, start + slot.begin, slot.end - slot.begin):
            total.update(chunk)
    return total.hexdigest()


def _read_slots(handle: BinaryIO) -> tuple[int, list[Slot]]:
    """Return where the tensors begin, and each by name: the header's length (u64, little endian), the header (JSON)."""
    length = int.from_bytes(handle.read(8), "little")
    header = json.loads(handle.read(length))
    slots = (
        Slot(name, told["dtype"], tuple(told["shape"]), *told["data_offsets"])
        for name, told in header.items()
        if name != "__metadata__"
    )
    return 8 + length, sorted(slots)


def _read_chunks(handle: BinaryIO, begin: int, length: int) -> Iterator[bytes]:
    handle.seek(begin)
    while length > 0 and (chunk := handle.read(min(CHUNK, length))):
        length -= len(chunk)
        yield chunk
