"""A tar is read as tarfile reads it where it is right, and refused where tarfile would hang, grow or end early."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from engine.inputs.tar_members import BLOCK, MOST_HEADER, TarDamage, TarMember, TarReader

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
CONTENT = bytes(range(256)) * 5
DEEP = "d/" * 45 + "x" * 60


class Pipe(io.BytesIO):
    """Bytes that can be read once, as those of a compressed tar."""

    def seekable(self) -> bool:
        return False

    def seek(self, place: int, whence: int = 0, /) -> int:
        raise OSError("no seeking in a pipe")


def make_tar(format: str, names: list[str], **pax: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=FORMATS[format], pax_headers=pax) as tar:
        for number, name in enumerate(names):
            add(tar, name, size=number * 300)
        add(tar, "folder", type=tarfile.DIRTYPE)
        add(tar, "soft", type=tarfile.SYMTYPE, linkname="folder/" + "t" * 80)
        add(tar, "hard", type=tarfile.LNKTYPE, linkname=names[0])
        add(tar, "pipe", type=tarfile.FIFOTYPE)
        add(tar, "last", size=7)
    return held.getvalue()


def add(tar: tarfile.TarFile, name: str, **about: Any) -> None:
    member = tarfile.TarInfo(name)
    for key, value in about.items():
        setattr(member, key, value)
    tar.addfile(member, io.BytesIO(CONTENT))


def read_members(raw: bytes, kind: type[io.BytesIO] = io.BytesIO) -> list[TarMember]:
    return list(TarReader(kind(raw)))


def by_tarfile(raw: bytes) -> list[TarMember]:
    kinds: dict[bytes, Any] = {
        tarfile.REGTYPE: "file", tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hard link",
        tarfile.FIFOTYPE: "pipe or device",
    }  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return [TarMember(one.name, kinds[one.type], one.size, one.offset_data, one.linkname) for one in tar]


@pytest.mark.parametrize("source", [io.BytesIO, Pipe])
@pytest.mark.parametrize("format", FORMATS)
def test_members_are_those_that_tarfile_finds(format: str, source: type[io.BytesIO]) -> None:
    names = ["ant/1.png", DEEP, "plain.txt"] + (["y" * 300, "caf\u00e9"] if format != "ustar" else [])
    raw = make_tar(format, names, **({"comment": "of all"} if format == "pax" else {}))
    assert read_members(raw, source) == by_tarfile(raw)
    assert len(read_members(raw)) == len(names) + 5


def test_names_that_are_no_utf8_come_as_tarfile_gives_them() -> None:
    raw = make_tar("gnu", [b"caf\xe9.png".decode("utf-8", "surrogateescape")])
    assert read_members(raw) == by_tarfile(raw)


@pytest.mark.parametrize("source", [io.BytesIO, Pipe])
def test_contents_are_read_while_members_pass(source: type[io.BytesIO]) -> None:
    reader = TarReader(source(make_tar("pax", ["a", "b" * 200, "c", "d"])))
    read = {one.name: b"".join(reader.pieces(one)) for one in reader if one.kind == "file" and one.name != "c"}
    assert read == {"a": b"", "b" * 200: CONTENT[:300], "d": CONTENT[:900], "last": CONTENT[:7]}


def test_sizes_of_eight_gigabytes_are_read_in_base_256() -> None:
    member = tarfile.TarInfo("big")
    member.size = 9 * 2**30
    (found,) = _first(member.tobuf(tarfile.GNU_FORMAT))
    assert found.size == 9 * 2**30


def _first(raw: bytes) -> list[TarMember]:
    return [next(iter(TarReader(io.BytesIO(raw))))]


def test_a_sparse_file_is_told_as_one_in_both_forms() -> None:
    old = tarfile.TarInfo("old")
    old.type = tarfile.GNUTYPE_SPARSE
    new = tarfile.TarInfo("new")
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "real"}
    for raw, name in ((old.tobuf(tarfile.GNU_FORMAT), "old"), (new.tobuf(tarfile.PAX_FORMAT), "real")):
        (found,) = _first(raw)
        assert (found.kind, found.name) == ("sparse file", name)


def test_a_folder_of_the_oldest_tars_ends_with_a_slash() -> None:
    member = tarfile.TarInfo("ant/")
    member.type = tarfile.AREGTYPE
    (found,) = _first(member.tobuf(tarfile.USTAR_FORMAT))
    assert found.kind == "folder"


def sealed(header: bytes) -> bytes:
    """Return a header with its checksum made right."""
    total = sum(header[:148]) + 256 + sum(header[156:BLOCK])
    return header[:148] + b"%06o\0 " % total + header[156:]


def header(size: bytes = b"00000000010\0", flag: bytes = b"0", name: bytes = b"a.png") -> bytes:
    block = bytearray(BLOCK)
    block[: len(name)], block[124:136], block[156:157], block[257:265] = name, size, flag, b"ustar\x0000"
    return sealed(bytes(block))


def pax(records: bytes, size: int | None = None) -> bytes:
    stated = b"%011o\0" % (len(records) if size is None else size)
    return header(stated, b"x") + records + bytes(-len(records) % BLOCK)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while length != len(b"%d" % length) + len(key) + len(value) + 3:
        length = len(b"%d" % length) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


DAMAGE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is empty"),
    "no tar": (b"no tar at all " * 90, "byte 0 is no header"),
    "half a header": (header()[:300], "in the midst of a header, at byte 300"),
    "a wrong checksum": (header()[:200] + b"x" + header()[201:] + bytes(BLOCK), "byte 0 is no header"),
    "a damaged second header": (header(b"00000000000\0") + b"x" * BLOCK, "byte 512 is no header"),
    "size below zero": (header(b"\xff" * 12), "a size below zero"),
    "a size that is no number": (header(b"12x        \0"), "has b'12x' as a number"),
    "pax size below zero": (pax(record(b"size", b"-512")) + header(), "has b'-512' as a size"),
    "cut in a file": (header(b"00000002000\0") + bytes(600), "it is cut short"),
    "far beyond its end": (header(b"\x80" + b"\0" * 4 + b"\x30" * 7), "it is cut short"),
    "a size of more than 64 bits": (header(b"\x80" + b"\xff" * 11), "309,485,009,821,345,068,724,781,055 as a size"),
    "a huge pax header": (pax(b"", size=2**30), f"names take {MOST_HEADER:,} at most"),
    "a huge long name": (header(b"\x80" + b"\0" * 7 + b"\xff" * 4, b"L"), "names take"),
    "a pax record of no length": (pax(b"0 a=b\n") + header(), "a pax header is damaged"),
    "a pax record that is longer": (pax(b"99 a=b\n") + header(), "a pax header is damaged"),
    "digits without an end": (pax(b"1" * 60_000) + header(), "a pax header is damaged"),
    "two in one": (make_tar("ustar", ["a"]) + make_tar("ustar", ["b"]), "a second archive follows"),
}


@pytest.mark.parametrize("source", [io.BytesIO, Pipe])
@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_told_and_ends_at_once(what: str, source: Callable[[bytes], io.BytesIO]) -> None:
    raw, words = DAMAGE[what]
    with pytest.raises(TarDamage, match=words):
        list(TarReader(source(raw)))


@pytest.mark.parametrize("behind", [b"", bytes(3 * BLOCK), bytes(BLOCK) + b"rubbish " * 64, b"odd"])
def test_what_is_no_archive_behind_the_end_does_not_count(behind: bytes) -> None:
    raw = make_tar("ustar", ["a"])
    assert read_members(raw + behind) == read_members(raw)


def test_a_tar_without_blocks_of_zeros_at_its_end_is_whole() -> None:
    raw = header(b"00000000000\0") + header(b"00000000003\0", name=b"b.png") + b"abc".ljust(BLOCK, b"\0")
    assert [one.name for one in read_members(raw)] == ["a.png", "b.png"]
