"""A .zip is judged by its directory before anything of it is inflated."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from engine.inputs.zip_members import zip_files, zip_pieces

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]


def make_zip(path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr("./ant/1.png", b"one" * 9000)
        packed.writestr("ant/", b"")
        packed.writestr("bee/2.png", os.urandom(30_000))
    return path


@pytest.mark.parametrize("method", METHODS)
def test_contents_come_in_pieces(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(make_zip(tmp_path / "x.zip", method)) as packed:
        files = zip_files(tmp_path / "x.zip", packed)
        assert list(files) == ["ant/1.png", "bee/2.png"]
        for entry in files.values():
            assert b"".join(zip_pieces(packed, entry)) == packed.read(entry)


def change(tmp_path: Path, make: Callable[[zipfile.ZipInfo], None]) -> None:
    """Change the second member as it stands in the directory, and list the archive."""
    path = make_zip(tmp_path / "x.zip")
    with zipfile.ZipFile(path) as packed:
        make(packed.infolist()[2])
        zip_files(path, packed)


def encrypt(entry: zipfile.ZipInfo) -> None:
    entry.flag_bits |= 1


def link(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16


def overlap(entry: zipfile.ZipInfo) -> None:
    entry.header_offset -= 1


def grow(size: int) -> Callable[[zipfile.ZipInfo], None]:
    def make(entry: zipfile.ZipInfo) -> None:
        entry.file_size = size

    return make


def rename(name: str) -> Callable[[zipfile.ZipInfo], None]:
    def make(entry: Any) -> None:
        entry.orig_filename = name

    return make


WRONG: dict[str, tuple[Callable[[zipfile.ZipInfo], None], str]] = {
    "encrypted": (encrypt, "bee/2.png: this member is encrypted\nfix: unpack it with its password"),
    "a link": (link, "bee/2.png: this member is a link\nfix: pack what"),
    "overlapping": (overlap, "bee/2.png: this member lies in the same bytes as ant/1?"),
    "too large": (grow(3 * 10**9), "bee/2.png: this member has 3,000,000,000 bytes\nfix: .*member_bytes"),
    "too well packed": (grow(10**8), "x.zip: it unpacks to more than 64,000,000 bytes"),
    "a zero byte": (rename("bee/2.png\0.txt"), "control characters"),
    "twice": (rename("ant/1.png"), "two members have this name"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_member_that_cannot_be_one_of_images_is_refused(tmp_path: Path, what: str) -> None:
    make, words = WRONG[what]
    with pytest.raises(DataError, match=words):
        change(tmp_path, make)


def test_a_member_that_is_longer_than_it_states_is_damage(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "x.zip")
    with zipfile.ZipFile(path) as packed:
        entry = packed.infolist()[0]
        entry.file_size = 10
        assert entry.CRC
        with pytest.raises(zipfile.BadZipFile, match="Bad CRC"):
            list(zip_pieces(packed, entry))


def test_no_piece_of_a_member_is_large(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.png", bytes(20_000_000))
    with zipfile.ZipFile(tmp_path / "x.zip") as packed:
        assert max(map(len, zip_pieces(packed, packed.infolist()[0]))) <= 1 << 16


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_ways_of_packing_that_give_all_at_once_are_refused(tmp_path: Path, method: int) -> None:
    with (
        zipfile.ZipFile(make_zip(tmp_path / "x.zip", method)) as packed,
        pytest.raises(DataError, match=rf"ant/1\.png: this member is packed by method {method}, .*\nfix: unpack it"),
    ):
        zip_files(tmp_path / "x.zip", packed)
