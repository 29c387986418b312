"""Who gives the bytes of a member: takes the path of an archive, of Parquet or of arrays, gives its reader."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

from engine.inputs.archive import Archive, open_archive, stream_digests
from engine.inputs.forms.known import is_batch, is_cifar, is_idx
from engine.inputs.forms.parquet import ParquetImages, is_parquet, parquet_digests


def open_container(path: Path) -> Archive:
    """Open what holds members, for reading one at a time by several threads. Raises DataError when it is damaged."""
    if is_parquet(path):
        return ParquetImages(path)
    return _open_pixels(path) or open_archive(path)


def member_digests(path: Path, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield name and sha256 of the members called so, each read once."""
    if is_parquet(path):
        return parquet_digests(path, names)
    pixels = _open_pixels(path)
    if pixels is None:
        return stream_digests(path, names)
    return ((name, hashlib.sha256(pixels.read(name)).hexdigest()) for name in sorted(names))


def _open_pixels(path: Path) -> Archive | None:
    """Return the arrays of a file that holds pixels, None for one that holds files."""
    # NumPy is loaded where arrays are read.
    if path.suffix.lower() in (".npz", ".npy"):
        from engine.inputs.forms.arrays import open_arrays

        return open_arrays(path)
    if is_idx(path):
        from engine.inputs.forms.idx import open_idx

        return open_idx(path)
    if is_cifar(path) or is_batch(path):
        from engine.inputs.forms.cifar import open_cifar

        return open_cifar(path)
    return None
