"""Images inside a .zip or .tar: takes the archive's path, gives its files' names and bytes, nothing unpacked to disk.

A compressed tar has no way to a file but through all before it: it is inflated once, into a temporary file without a
name, when single files are asked for.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import shutil
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from engine.errors import DataError

INFLATE: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# A RuntimeError is what zipfile has for an encrypted file.
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
        # As a stream: a compressed tar is then inflated once, from front to back.
        with tarfile.open(path, mode="r|*") as tar:
            return [_plain_name(member.name) for member in tar if _is_file(member)]


def stream_files(path: Path, names: Container[str]) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the files called so, in the order of the archive, each byte read once; links last."""
    with _named(path):
        if _is_zip(path):
            with zipfile.ZipFile(path) as packed:
                entries = _zip_entries(packed)
                yield from ((name, packed.read(entry)) for name, entry in entries.items() if name in names)
            return
        links: list[str] = []
        with tarfile.open(path, mode="r|*") as tar:
            for member in tar:
                name = _plain_name(member.name)
                content = tar.extractfile(member) if member.isfile() and name in names else None
                if content is not None:
                    yield name, content.read()
                elif _is_file(member) and name in names:
                    links.append(name)
        if links:
            archive = open_archive(path)
            yield from ((name, archive.read(name)) for name in links)


def open_archive(path: Path) -> Archive:
    """Open the archive for reading single files. Raises DataError when it is damaged."""
    with _named(path):
        return _Zip(path) if _is_zip(path) else _Tar(path)


def _zip_entries(packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {_plain_name(entry.filename): entry for entry in packed.infolist() if not entry.is_dir()}


def _plain_name(name: str) -> str:
    """`tar -C folder .` writes ./name: the same file as name."""
    return name.removeprefix("./")


def _is_file(member: tarfile.TarInfo) -> bool:
    """Whether it is to be read: also a file that the archive holds as a link to another of its files."""
    return member.isfile() or member.islnk() or member.issym()


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


class _Zip:
    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._file = zipfile.ZipFile(path)
        # Nobody closes an archive: it goes with whoever reads from it last.
        weakref.finalize(self, self._file.close)
        self._entries = _zip_entries(self._file)

    def read(self, name: str) -> bytes:
        # One position in the file serves all threads.
        with _named(self._path, name), self._lock:
            return self._file.read(self._entries[name])


class _Tar:
    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        plain = _plain_tar(path)
        weakref.finalize(self, plain.close)
        self._tar = tarfile.open(fileobj=plain)  # noqa: SIM115 - it lives as long as this object
        self._members = {_plain_name(member.name): member for member in self._tar.getmembers() if _is_file(member)}

    def read(self, name: str) -> bytes:
        with _named(self._path, name), self._lock:
            return self._content(self._members[name]).read()

    def _content(self, member: tarfile.TarInfo) -> IO[bytes]:
        """Open a file, or the one that a link leads to. Raises DataError where that is not in the archive."""
        try:
            content = self._tar.extractfile(member)
        except (KeyError, RecursionError):
            # A link to nothing, or in a circle.
            content = None
        if content is None:
            what = f"cannot read this image: it is a link to {member.linkname}, and that is no file of the archive"
            fix = "pack what the links lead to (tar -h), or leave them out"
            raise DataError(what, where=f"{self._path}!{_plain_name(member.name)}", fix=fix)
        return content


def _plain_tar(path: Path) -> IO[bytes]:
    inflate = INFLATE.get(path.suffix.lower())
    if inflate is None:
        return open(path, "rb")
    plain = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the archive
    try:
        with inflate(path) as packed:
            shutil.copyfileobj(packed, plain, 1 << 20)
    except BaseException as error:
        plain.close()
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            fix = f"make room in {tempfile.gettempdir()}, name another folder with TMPDIR, or unpack it"
            raise DataError("there is no room to inflate this archive", where=str(path), fix=fix) from error
        raise
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
        raise DataError(
            f"cannot read this archive: {str(error) or type(error).__name__}", where=where, fix=fix
        ) from error
