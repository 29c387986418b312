"""Images inside a .zip or .tar: takes the archive's path, gives its files' names and bytes, nothing unpacked to disk.

A compressed tar has no way to a file but through all before it: it is inflated once, into a temporary file without a
name, when single files are asked for.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from engine.errors import DataError

INFLATE: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)


class Archive(Protocol):
    """An opened archive: gives the bytes of its files, also to several threads; closed when nobody holds it."""

    def read(self, name: str) -> bytes: ...


def is_archive(path: Path) -> bool:
    """Whether the name says .zip, .tar or a compressed .tar."""
    name = path.name.lower()
    return name.endswith((".zip", ".tar", ".tgz", *(f".tar{suffix}" for suffix in INFLATE)))


def archive_names(path: Path) -> list[str]:
    """Return the names of the archive's files. Raises DataError when it is damaged."""
    with _named(path):
        if _is_zip(path):
            with zipfile.ZipFile(path) as packed:
                return list(_zip_entries(packed))
        with tarfile.open(path, mode="r|*") as tar:
            return [_plain_name(member.name) for member in tar if member.isfile()]


def stream_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file's name and bytes in the order of the archive, each byte read once."""
    with _named(path):
        if _is_zip(path):
            with zipfile.ZipFile(path) as packed:
                yield from ((name, packed.read(entry)) for name, entry in _zip_entries(packed).items())
            return
        with tarfile.open(path, mode="r|*") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield _plain_name(member.name), content.read()


def open_archive(path: Path) -> Archive:
    """Open the archive for reading single files. Raises DataError when it is damaged."""
    with _named(path):
        return _Zip(path) if _is_zip(path) else _Tar(path)


def _zip_entries(packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {_plain_name(entry.filename): entry for entry in packed.infolist() if not entry.is_dir()}


def _plain_name(name: str) -> str:
    """`tar -C folder .` writes ./name: the same file as name."""
    return name.removeprefix("./")


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


class _Zip:
    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._file = zipfile.ZipFile(path)
        weakref.finalize(self, self._file.close)
        self._entries = _zip_entries(self._file)

    def read(self, name: str) -> bytes:
        with _named(self._path, name), self._lock:
            return self._file.read(self._entries[name])


class _Tar:
    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        plain = _plain_tar(path)
        weakref.finalize(self, plain.close)
        self._tar = tarfile.open(fileobj=plain)  # noqa: SIM115 - it lives as long as this object
        self._members = {_plain_name(member.name): member for member in self._tar.getmembers() if member.isfile()}

    def read(self, name: str) -> bytes:
        with _named(self._path, name), self._lock:
            content = self._tar.extractfile(self._members[name])
            return content.read() if content is not None else b""


def _plain_tar(path: Path) -> IO[bytes]:
    inflate = INFLATE.get(path.suffix.lower())
    if inflate is None:
        return open(path, "rb")
    plain = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the archive
    with inflate(path) as packed:
        shutil.copyfileobj(packed, plain, 1 << 20)
    plain.seek(0)
    return plain


@contextmanager
def _named(path: Path, member: str = "") -> Iterator[None]:
    """Turn what the readers raise on damage, encryption or an unknown method into an error that names the archive."""
    try:
        yield
    except DataError:
        raise
    except DAMAGE as error:
        where = f"{path}!{member}" if member else str(path)
        fix = "test it with its own tool (unzip -t, tar -t), and fetch or pack it again"
        raise DataError(f"cannot read this archive: {error or type(error).__name__}", where=where, fix=fix) from error
