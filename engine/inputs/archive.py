"""Images inside a .zip or .tar: takes the archive's path, gives its files' names and bytes, nothing unpacked to disk.

A compressed tar has no way to a file but through all before it: it is inflated once, into a temporary file without a
name, when single files are asked for. Names, sizes and counts are checked when it is listed, before any file is read.
"""

from __future__ import annotations

import errno
import hashlib
import lzma
import posixpath
import shutil
import struct
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.inflate import INFLATE, check_regular, open_plain
from engine.inputs.member_names import MemberNames, place_text, plain_name
from engine.inputs.tar_members import TarDamage, TarMember, TarReader
from engine.inputs.zip_members import check_size, zip_files, zip_pieces

# RuntimeError is what zipfile has for a method it does not know, ValueError for names and places that are none.
DAMAGE = (
    *(zipfile.BadZipFile, TarDamage, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, RuntimeError, ValueError, OverflowError),
)
MOST_LINKS = 40
"""Links that lead to links; a circle has more."""


class Archive(Protocol):
    """An opened archive: gives the bytes of its files, also to several threads; closed when nobody holds it."""

    def read(self, name: str) -> bytes: ...


@dataclass(frozen=True)
class ArchiveList:
    """The names of an archive's files, and how many of what else is in it, folders aside."""

    names: list[str]
    others: Mapping[str, int]


def is_archive(path: Path) -> bool:
    """Whether the name says .zip, .tar or a compressed .tar."""
    name = path.name.lower()
    return name.endswith((".zip", ".tar", ".tgz", *(f".tar{suffix}" for suffix in INFLATE)))


def list_archive(path: Path) -> ArchiveList:
    """Return what is in the archive. Raises DataError when it is damaged, or holds what may not be taken for images."""
    with _named(path):
        check_regular(path)
        if _is_zip(path):
            with zipfile.ZipFile(path) as packed:
                return ArchiveList(list(zip_files(path, packed)), {})
        with open_plain(path) as plain:
            members = list(_tar_files(path, TarReader(plain)))
        others = Counter[str](member.kind for _, member in members if not _is_file(member))
        return ArchiveList([name for name, member in members if _is_file(member)], others)


def stream_digests(path: Path, names: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield name and sha256 of the files called so, in the order of the archive, each byte read once; links last."""
    with _named(path):
        check_regular(path)
        if _is_zip(path):
            with zipfile.ZipFile(path) as packed:
                for name, entry in zip_files(path, packed).items():
                    if name in names:
                        yield name, _digest(zip_pieces(packed, entry), path, name)
            return
        links: list[str] = []
        with open_plain(path) as plain:
            reader = TarReader(plain)
            for name, member in _tar_files(path, reader):
                if member.kind == "file" and name in names:
                    yield name, _digest(reader.pieces(member), path, name)
                elif _is_file(member) and name in names:
                    links.append(name)
        if links:
            archive = open_archive(path)
            yield from ((name, hashlib.sha256(archive.read(name)).hexdigest()) for name in links)


def stream_members(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes | None]]:
    """Yield the names of the files in the archive, in its order, with the content of those that are wanted.

    A link has none. Raises DataError when the archive is damaged, or a content larger than `limits().member_bytes`.
    """
    with _named(path):
        check_regular(path)
        if _is_zip(path):
            with zipfile.ZipFile(path) as packed:
                for name, entry in zip_files(path, packed).items():
                    yield name, b"".join(zip_pieces(packed, entry)) if is_wanted(name) else None
            return
        with open_plain(path) as plain:
            reader = TarReader(plain)
            for name, member in _tar_files(path, reader):
                if _is_file(member):
                    is_read = member.kind == "file" and is_wanted(name)
                    yield name, b"".join(reader.pieces(member)) if is_read else None


def open_archive(path: Path) -> Archive:
    """Open the archive for reading single files. Raises DataError when it is damaged."""
    with _named(path):
        check_regular(path)
        return _Zip(path) if _is_zip(path) else _Tar(path)


def _tar_files(path: Path, reader: TarReader) -> Iterator[tuple[str, TarMember]]:
    """Yield the members that are no folders, with their plain names; for what is no file the name does not count."""
    names = MemberNames(path)
    for member in reader:
        names.count()
        where = place_text(path, member.name)
        check_size(where, member.size)
        if member.kind == "sparse file":
            raise DataError("this member is a sparse file", where=where, fix="pack it again without --sparse")
        if member.kind != "folder":
            yield names.add(member.name) if _is_file(member) else member.name, member


def _is_file(member: TarMember) -> bool:
    """Whether it is to be read: also a file that the archive holds as a link to another of its files."""
    return member.kind in ("file", "link", "hard link")


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _bounded(pieces: Iterable[bytes], path: Path, name: str) -> Iterator[bytes]:
    """Hand on the pieces of an image. Raises DataError when they are more than one may have."""
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limits().image_bytes:
            what = f"this image has more than {limits().image_bytes:,} bytes"
            raise DataError(what, where=place_text(path, name), fix=raise_limit("image_bytes"))
        yield piece


def _digest(pieces: Iterable[bytes], path: Path, name: str) -> str:
    total = hashlib.sha256()
    for piece in _bounded(pieces, path, name):
        total.update(piece)
    return total.hexdigest()


class _Zip:
    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._file = zipfile.ZipFile(path)
        # Nobody closes an archive: it goes with whoever reads from it last.
        weakref.finalize(self, self._file.close)
        self._entries = zip_files(path, self._file)

    def read(self, name: str) -> bytes:
        # One position in the file serves all threads.
        with _named(self._path, name), self._lock:
            return b"".join(_bounded(zip_pieces(self._file, self._entries[name]), self._path, name))


class _Tar:
    """A plain tar is opened for each file that is read: a set may have thousands of them, more than may be open."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._inflated = _inflate_tar(path) if path.suffix.lower() in INFLATE else None
        if self._inflated is not None:
            weakref.finalize(self, self._inflated.close)
        with self._open() as plain:
            files = _tar_files(path, TarReader(plain))
            self._members = {name: member for name, member in files if _is_file(member)}

    def read(self, name: str) -> bytes:
        with _named(self._path, name), self._open() as plain:
            member = self._follow(name)
            plain.seek(member.start)
            return b"".join(_bounded(_pieces(plain, member.size), self._path, name))

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        if self._inflated is None:
            with open(self._path, "rb") as plain:
                yield plain
            return
        # One position in the file serves all threads.
        with self._lock:
            yield self._inflated

    def _follow(self, name: str) -> TarMember:
        """Return a file, or the one that a link leads to. Raises DataError where that is not in the archive."""
        member: TarMember | None = self._members[name]
        for _ in range(MOST_LINKS):
            if member is None or member.kind == "file":
                break
            # A link's target is told from its own folder, a hard link's from the top.
            base = posixpath.dirname(plain_name(member.name)) if member.kind == "link" else ""
            member = self._members.get(posixpath.normpath(posixpath.join(base, member.target)))
        if member is not None and member.kind == "file":
            return member
        target = self._members[name].target
        what = f"cannot read this image: it is a link to {target}, and that is no file of the archive"
        fix = "pack what the links lead to (tar -h), or leave them out"
        raise DataError(what, where=f"{self._path}!{name}", fix=fix)


def _pieces(plain: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0:
        piece = plain.read(min(size, 1 << 20))
        if not piece:
            raise TarDamage("it is cut short")
        size -= len(piece)
        yield piece


def _inflate_tar(path: Path) -> IO[bytes]:
    plain = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the archive
    try:
        with open_plain(path) as packed:
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
