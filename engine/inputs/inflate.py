"""A compressed file as a stream: takes its path, gives its plain bytes in order, no more than the limits allow."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError
from engine.home.limits import limits, raise_limit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

XZ_MEMORY = 256 * 10**6
"""Bytes that a file may ask for to be inflated; `xz -9` asks for 65 MB, and the format allows 4 GB."""
PIECE = 1 << 16


def open_plain(path: Path) -> io.BufferedIOBase:
    """Open a file, inflated where its name says that it is compressed. DataError when it is no file, or grows too far.

    Reading raises OSError, EOFError, zlib.error or lzma.LZMAError where it is damaged.
    """
    check_regular(path)
    inflate = INFLATE.get(path.suffix.lower())
    return io.BufferedReader(Bounded(path, inflate(path)), PIECE) if inflate else open(path, "rb")


def check_regular(path: Path) -> None:
    """Raise DataError for a pipe or a device, which may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataError("this is no regular file", where=str(path), fix="name a file or a folder")


def most_unpacked(path: Path) -> int:
    """Return how many bytes may come out of a packed file; a small one may always hold one image of the largest."""
    return max(limits().image_bytes, limits().archive_ratio * path.stat().st_size)


def grown_too_far(path: Path) -> DataError:
    """Return why a packed file is not read: it unpacks to more than photographs would."""
    what = f"it unpacks to more than {most_unpacked(path):,} bytes, {limits().archive_ratio} times its own"
    return DataError(what, where=str(path), fix=raise_limit("archive_ratio"))


class Bounded(io.RawIOBase):
    """The bytes of `inflated`, and a DataError where they are more than may come out of `path`."""

    def __init__(self, path: Path, inflated: io.BufferedIOBase) -> None:
        self._path, self._inflated, self._left = path, inflated, most_unpacked(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        piece = self._inflated.read(memoryview(buffer).nbytes)
        self._left -= len(piece)
        if self._left < 0:
            raise grown_too_far(self._path)
        memoryview(buffer)[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._inflated.close()
        super().close()


class _Xz(io.RawIOBase):
    """An .xz file as `lzma.open` reads it, which takes all memory that the file asks for."""

    def __init__(self, path: Path) -> None:
        self._packed = open(path, "rb")  # noqa: SIM115 - it lives as long as this object
        self._inflater, self._raw = lzma.LZMADecompressor(memlimit=XZ_MEMORY), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        piece = b""
        while not piece:
            if self._inflater.eof and not self._next_stream():
                return 0
            if self._inflater.needs_input and not self._raw:
                self._raw = self._packed.read(PIECE)
                if not self._raw:
                    raise EOFError("it ends in the midst of a stream")
            piece, self._raw = self._inflater.decompress(self._raw, view.nbytes), b""
        view[: len(piece)] = piece
        return len(piece)

    def _next_stream(self) -> bool:
        """Several streams may follow each other, with blocks of four zeros between them."""
        rest = self._inflater.unused_data
        while not (rest := rest.lstrip(b"\0")):
            if not (rest := self._packed.read(PIECE)):
                return False
        self._inflater, self._raw = lzma.LZMADecompressor(memlimit=XZ_MEMORY), rest
        return True

    def close(self) -> None:
        self._packed.close()
        super().close()


def _open_xz(path: Path) -> io.BufferedIOBase:
    return io.BufferedReader(_Xz(path), PIECE)


def _open_gzip(path: Path) -> io.BufferedIOBase:
    return gzip.open(path)


def _open_bz2(path: Path) -> io.BufferedIOBase:
    return bz2.open(path)


INFLATE: Mapping[str, Callable[[Path], io.BufferedIOBase]] = {
    ".gz": _open_gzip,
    ".tgz": _open_gzip,
    ".bz2": _open_bz2,
    ".xz": _open_xz,
}
