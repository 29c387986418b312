"""An archive gives its files as they went in, and says which archive and which file is damaged."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import os
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from engine.errors import DataError
from engine.inputs import archive
from engine.inputs.archive import ArchiveList, is_archive, list_archive, open_archive, stream_digests
from engine.inputs.tar_members import TarDamage

FILES = {"b/2.png": b"two" * 400, "a/1.png": b"one" * 500, ".hid/3.png": b"three"}
KINDS = ["x.zip", "X.ZIP", "x.tar", "x.tgz", "x.tar.gz", "X.TAR.GZ", "x.tar.bz2", "x.tar.xz"]
SQUEEZE: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "tgz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "tar": bytes,
}  # fmt: skip
Add = Callable[[tarfile.TarFile], None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digests_of(files: dict[str, bytes]) -> dict[str, str]:
    return {name: sha256(content) for name, content in files.items()}


def add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def add_link(tar: tarfile.TarFile, name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    tar.addfile(member)


def make_archive(path: Path, more: Add = lambda tar: None) -> Path:
    """Write FILES and a folder as ./name, and what `more` adds to a tar."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("./b/", b"")
            for name, content in FILES.items():
                packed.writestr(f"./{name}", content)
        return path
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        add_link(tar, "./b", "", tarfile.DIRTYPE)
        for name, content in FILES.items():
            add_file(tar, f"./{name}", content)
        more(tar)
    path.write_bytes(SQUEEZE[path.suffix.lower()[1:]](held.getvalue()))
    return path


@pytest.mark.parametrize("name", [*KINDS, "no.archive.tar.xz"])
def test_a_name_tells_an_archive(name: str) -> None:
    assert is_archive(Path("/data") / name)


@pytest.mark.parametrize("name", ["x.gz", "x.xz", "zip", "x.zip.part", "x.tar.lz", "x.jpg"])
def test_other_names_are_no_archives(name: str) -> None:
    assert not is_archive(Path("/data.zip") / name)


@pytest.mark.parametrize("name", KINDS)
def test_files_come_out_as_they_went_in(tmp_path: Path, name: str) -> None:
    path = make_archive(tmp_path / name)
    assert list_archive(path).names == list(FILES)
    archive = open_archive(path)
    assert {held: archive.read(held) for held in reversed(FILES)} == FILES
    assert dict(stream_digests(path, FILES)) == digests_of(FILES)


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_a_stream_gives_the_files_asked_for_in_the_archives_order(tmp_path: Path, name: str) -> None:
    path = make_archive(tmp_path / name, lambda tar: add_link(tar, "a/link.png", "1.png"))
    wanted = {"a/1.png", "b/2.png"}
    assert list(stream_digests(path, wanted)) == [(name, sha256(FILES[name])) for name in ("b/2.png", "a/1.png")]


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_links_are_files_and_come_last_while_pipes_are_none(tmp_path: Path, name: str) -> None:
    def more(tar: tarfile.TarFile) -> None:
        add_link(tar, "a/soft.png", "../b/2.png")
        add_link(tar, "a/hard.png", "./a/1.png", tarfile.LNKTYPE)
        add_link(tar, "a/pipe.png", "", tarfile.FIFOTYPE)
        add_file(tar, "z.png", b"last")

    path = make_archive(tmp_path / name, more)
    names = [*FILES, "a/soft.png", "a/hard.png", "z.png"]
    assert list_archive(path) == ArchiveList(names, {"pipe or device": 1})
    contents = {**FILES, "z.png": b"last", "a/soft.png": FILES["b/2.png"], "a/hard.png": FILES["a/1.png"]}
    assert list(stream_digests(path, names)) == list(digests_of(contents).items())
    archive = open_archive(path)
    assert {held: archive.read(held) for held in names} == contents


@pytest.mark.parametrize("target", ["../elsewhere.png", "self.png", "../b"])
def test_a_link_that_leads_to_no_file_is_named(tmp_path: Path, target: str) -> None:
    path = make_archive(tmp_path / "x.tar", lambda tar: add_link(tar, "./a/self.png", target))
    with pytest.raises(
        DataError, match=r"^\S*x\.tar!a/self\.png: cannot read this image: it is a link to .*\nfix: .*tar -h"
    ):
        open_archive(path).read("a/self.png")


@pytest.mark.parametrize(("name", "reader"), [("x.zip", "_file"), ("x.tar.gz", "_inflated")])
def test_one_thread_reads_at_a_time(tmp_path: Path, name: str, reader: str) -> None:
    archive: Any = open_archive(make_archive(tmp_path / name))
    locked: list[bool] = []
    honest = getattr(archive, reader)

    class Noting:
        def __getattr__(self, method: str) -> Any:
            locked.append(archive._lock.locked())
            return getattr(honest, method)

    setattr(archive, reader, Noting())
    assert archive.read("a/1.png") == FILES["a/1.png"]
    assert set(locked) == {True}


def test_a_plain_tar_holds_no_file_open(tmp_path: Path) -> None:
    """A set may be thousands of them, more than a process may have open."""
    made = make_archive(tmp_path / "x.tar")
    before = len(os.listdir("/proc/self/fd"))
    held = [open_archive(made) for _ in range(3)]
    assert [archive.read("a/1.png") for archive in held] == [FILES["a/1.png"]] * 3
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_an_archive_that_nobody_holds_is_closed(tmp_path: Path, name: str) -> None:
    archive: Any = open_archive(make_archive(tmp_path / name))
    handle = archive._file.fp if name == "x.zip" else archive._inflated
    assert not handle.closed
    del archive
    assert handle.closed


@pytest.mark.parametrize("name", ["x.tgz", "X.TAR.GZ", "x.tar.bz2", "x.tar.xz"])
def test_a_compressed_tar_is_inflated_once(tmp_path: Path, name: str) -> None:
    archive: Any = open_archive(make_archive(tmp_path / name))
    archive._inflated.seek(0)
    assert archive._inflated.read(4) == b"./b/"


RAISED = [
    zipfile.BadZipFile("bad"), TarDamage("bad"), lzma.LZMAError("bad"), EOFError("bad"), OSError("bad"),
    RuntimeError("bad"), zlib.error("bad"), ValueError("bad"), struct.error("bad"), OverflowError("bad"),
]  # fmt: skip


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_reader_raises_names_archive_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    archive: Any = open_archive(make_archive(tmp_path / "x.zip"))

    def fail(entry: object) -> bytes:
        raise error

    monkeypatch.setattr(archive._file, "open", fail)
    with pytest.raises(DataError, match=r"x\.zip!a/1\.png: cannot read this archive: bad\nfix: test it with"):
        archive.read("a/1.png")


def test_an_error_without_words_is_called_by_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_archive(make_archive(tmp_path / "x.tar"))
    monkeypatch.setattr(archive, "_pieces", lambda plain, size: (_ for _ in ()).throw(EOFError()))
    with pytest.raises(DataError, match=r"x\.tar!a/1\.png: cannot read this archive: EOFError\n"):
        opened.read("a/1.png")


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.bz2", "x.tar.xz"])
def test_what_is_no_archive_is_named_however_it_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no archive at all " * 90)
    for read in (list_archive, open_archive, lambda path: list(stream_digests(path, FILES))):
        with pytest.raises(DataError, match=rf"{name}: cannot read this archive: \S"):
            read(tmp_path / name)


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.bz2", "x.tar.xz"])
def test_a_torn_archive_cannot_be_opened(tmp_path: Path, name: str) -> None:
    path = make_archive(tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"{name}(!\S+)?: cannot read this archive: \S"):
        [open_archive(path).read(held) for held in FILES]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_from_damage_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = make_archive(tmp_path / "x.tar.gz")
    opened: list[IO[bytes]] = []

    def fill_up(packed: object, plain: IO[bytes], size: int) -> None:
        opened.append(plain)
        raise OSError(code, "full")

    monkeypatch.setattr(shutil, "copyfileobj", fill_up)
    with pytest.raises(
        DataError, match=rf"x\.tar\.gz: there is no room to inflate.*\nfix: make room in {tempfile.gettempdir()}"
    ):
        open_archive(path)
    assert [plain.closed for plain in opened] == [True]
