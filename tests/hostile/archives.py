"""Archives that lie, grow, lead out of themselves or never end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.hostile.cases import MOST_MEMORY, Case
from tests.hostile.images import encode

BLOCK = 512
Change = Callable[[zipfile.ZipInfo], None]
GOOD = [f"{name}/{number}.png" for name in ("ant", "bee") for number in range(2)]


def picture(number: int = 0) -> bytes:
    return encode(Image.new("RGB", (40, 30), (60 * number + 20, 90, 40)), "PNG")


def make_zip(path: Path, more: Callable[[zipfile.ZipFile], None] = lambda packed: None) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for number, name in enumerate(GOOD):
            packed.writestr(name, picture(number))
        more(packed)


def zip_case(name: str, member: str, *says: str, content: bytes = b"", change: Change = lambda entry: None) -> Case:
    """A good .zip with one member more, whose entry in the directory is changed."""

    def more(packed: zipfile.ZipFile) -> None:
        packed.writestr(member, content or picture(9))
        change(packed.infolist()[-1])

    return refused(name, "x.zip", lambda path: make_zip(path, more), *says)


def refused(name: str, file: str, make: Callable[[Path], object], *says: str, memory: int | None = None) -> Case:
    ask = ("data", "report", file)
    return Case(name, lambda folder: make(folder / file), ask, 2, (file, *says), memory=memory, slow=bool(memory))


def setting(**about: Any) -> Change:
    def change(entry: zipfile.ZipInfo) -> None:
        for key, value in about.items():
            setattr(entry, key, value)

    return change


def patched(old: bytes, new: bytes, places: slice = slice(None)) -> Callable[[Path], None]:
    """A good .zip in which some bytes are others."""

    def make(path: Path) -> None:
        make_zip(path)
        raw = path.read_bytes()
        assert old in raw[places]
        start = raw.index(old, places.start or 0)
        path.write_bytes(raw[:start] + new + raw[start + len(old) :])

    return make


def cut(path: Path) -> None:
    make_zip(path)
    path.write_bytes(path.read_bytes()[:-30])


def class_zip(*names: str) -> Callable[[Path], None]:
    """A .zip of more classes, an image in each."""

    def more(packed: zipfile.ZipFile) -> None:
        for number, name in enumerate(names):
            packed.writestr(f"{name}/x.png", picture(number))

    return lambda path: make_zip(path, more)


def nested(path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as inner:
        inner.writestr("ant/1.png", picture())
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("inner.zip", held.getvalue())


def bzip_bomb(path: Path) -> None:
    """A member of 1.9 GB of zeros in 1.5 KB; the directory says 60 MB, so that it is read."""
    bits = zipfile.ZipInfo("ant/x.png")
    bits.compress_type = zipfile.ZIP_BZIP2

    def more(packed: zipfile.ZipFile) -> None:
        with packed.open(bits, "w", force_zip64=True) as out:
            for _ in range(19):
                out.write(bytes(10**8))
        bits.file_size = 50 * 10**6

    make_zip(path, more)


def header(name: str, size: bytes = b"%011o\0" % 0, flag: bytes = b"0", link: str = "") -> bytes:
    """Return the header of a member of a tar as POSIX has it, whatever the size says."""
    block = bytearray(name.encode().ljust(BLOCK, b"\0"))
    block[100:108], block[257:265] = b"0000644\0", b"ustar\x0000"
    block[124:136], block[156:157], block[157:257] = size, flag, link.encode().ljust(100, b"\0")
    total = sum(block[:148]) + 256 + sum(block[156:])
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def member(name: str, content: bytes) -> bytes:
    return header(name, b"%011o\0" % len(content)) + content + bytes(-len(content) % BLOCK)


def pax(content: bytes, stated: int | None = None) -> bytes:
    size = b"%011o\0" % (len(content) if stated is None else stated)
    return header("pax", size, b"x") + content + bytes(-len(content) % BLOCK)


def good_tar() -> bytes:
    return b"".join(member(name, picture(number)) for number, name in enumerate(GOOD))


def tar_case(name: str, more: bytes, *says: str) -> Case:
    """A good .tar with something more at its end."""
    return refused(name, "x.tar", lambda path: path.write_bytes(good_tar() + more + bytes(2 * BLOCK)), *says)


def gz_case(name: str, more: Callable[[], bytes], *says: str) -> Case:
    return refused(name, "x.tar.gz", lambda path: path.write_bytes(gzip.compress(good_tar() + more(), 1)), *says)


def crowd() -> bytes:
    return b"".join(header(f"x/{number}.txt") for number in range(11_000))


def greedy_xz(path: Path) -> None:
    """An .xz whose header asks for a dictionary of 4 GB."""
    raw = bytearray(lzma.compress(good_tar(), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]))
    end = 12 + (raw[12] + 1) * 4
    place = raw.index(b"\x21\x01", 12) + 2
    raw[place] = 40
    raw[end - 4 : end] = zlib.crc32(raw[12 : end - 4]).to_bytes(4, "little")
    path.write_bytes(raw)


def bz2_bomb(path: Path) -> None:
    """Ten megabytes of zeros in 48 bytes, a thousand times."""
    path.write_bytes(bz2.compress(good_tar()) + bz2.compress(bytes(10**7)) * 1000)


def torn_tar(path: Path) -> None:
    path.write_bytes(good_tar()[:-BLOCK])


def with_pipes(folder: Path) -> None:
    kinds = header("ant/pipe.png", flag=b"6") + header("ant/disk.png", flag=b"4")
    (folder / "x.tar").write_bytes(good_tar() + kinds + bytes(2 * BLOCK))


ZERO = setting(filename="ant/x.png\0.txt")
LINK = setting(external_attr=(stat.S_IFLNK | 0o777) << 16)
OUT = "leads out of the archive"
REPORT = ("data", "report", "x.zip")
CASES: list[Case] = [
    zip_case("a zip member of 4 GB", "ant/x.png", "this member has 4,000,000,000", change=setting(file_size=4 * 10**9)),
    zip_case("a zip member of 9 exabytes", "ant/x.png", "bytes", "member_bytes", change=setting(file_size=2**63 - 1)),
    zip_case("a zip that unpacks a thousandfold", "x.bin", "more than 64,000,000 bytes", content=bytes(70 * 10**6)),
    zip_case("a zip member longer than stated", "ant/x.png", "Bad CRC-32", change=setting(file_size=9)),
    zip_case("a zip member of another checksum", "ant/x.png", "Bad CRC-32", change=setting(CRC=1)),
    zip_case("an encrypted zip", "ant/x.png", "this member is encrypted", change=setting(flag_bits=1)),
    zip_case("an unknown way of packing", "ant/x.png", "packed by method 99", change=setting(compress_type=99)),
    zip_case("members in the same bytes", "ant/x.png", "lies in the same bytes", change=setting(header_offset=0)),
    zip_case("a member before the file", "ant/x.png", "x.zip", change=setting(header_offset=2**31)),
    zip_case("an absolute path", "/etc/cron.d/x.png", OUT),
    zip_case("a path that climbs", "../../x.png", OUT, "../../x.png"),
    zip_case("a path that climbs from within", "ant/../../x.png", OUT),
    zip_case("a drive letter", "C:/Windows/x.png", OUT),
    zip_case("backslashes", "ant\\x.png", "has a backslash in its name"),
    zip_case("a zero byte in a name", "ant/x.pngAB.txt", "control characters", change=ZERO),
    zip_case("an escape in a name", "ant/\x1b]52;c;eA==\x07.png", "has control characters in its name"),
    zip_case("a line break in a name", "ant/a\nb.png", "has control characters in its name"),
    zip_case("a name of 60,000 letters", "ant/" + "x" * 60_000 + ".png", "letters"),
    zip_case("30,000 folders in each other", "a/" * 30_000 + "x.png", "a member"),
    zip_case("100 folders in each other", "a/" * 100 + "x.png", "lies 100 folders deep", "folder_depth"),
    zip_case("two members of one name", "./ant/0.png", "two members have this name"),
    zip_case("a link in a zip", "ant/x.png", "this member is a link", content=b"/etc/passwd", change=LINK),
    refused("a zip that is cut", "x.zip", cut, "cannot read this archive"),
    refused("a zip of another directory", "x.zip", patched(b"ant/0.png", b"eel/0.png"), "cannot read this archive"),
    refused("a zip of nothing", "x.zip", lambda path: path.write_bytes(b"PK\5\6" + bytes(18)), "no class folders"),
    refused("a web page as zip", "x.zip", lambda path: path.write_bytes(b"<!DOCTYPE html>" * 99), "cannot read"),
    refused("an archive in an archive", "x.zip", nested, "unpack inner.zip"),
    refused("a pipe as zip", "x.zip", os.mkfifo, "no regular file"),
    refused("one class in two forms of unicode", "x.zip", class_zip("caf\u00e9", "cafe\u0301"), "two forms of Unicode"),
    refused("a blank class in a zip", "x.zip", class_zip("  "), "is blank"),
    Case("classes that differ in case", lambda path: class_zip("Ant")(path / "x.zip"), REPORT, 0, ("only in case",)),
    refused("a bzip2 bomb in a zip", "x.zip", bzip_bomb, "packed by method 12", memory=MOST_MEMORY),
    tar_case("a tar size below zero", header("ant/x.png", b"\xff" * 12), "size below zero"),
    tar_case("a tar size below zero in pax", pax(b"13 size=-512\n") + member("ant/x.png", b"x"), "as a size"),
    tar_case("a tar size of 2^95", header("ant/x.png", b"\x80" + b"\xff" * 11), "as a size"),
    tar_case("a tar member beyond the end", header("ant/x.png", b"%011o\0" % 10**9), "it is cut short"),
    tar_case("a tar member of 8 GB", header("ant/x.bin", b"7" * 11 + b"\0"), "8,589,934,591 bytes", "member_bytes"),
    tar_case("a pax header of 1 GB", pax(b"", 2**30), "a header says that it has 1,073,741,824 bytes"),
    tar_case("a pax header of digits", pax(b"1" * 900_000) + member("ant/x.png", b"x"), "a pax header is damaged"),
    tar_case("a sparse file of 1 GB", header("ant/x.png", b"%011o\0" % 10**9, b"S"), "this member is a sparse file"),
    tar_case("a sparse file in pax", pax(b"22 GNU.sparse.major=1\n") + member("ant/x.png", b"9\n"), "is a sparse file"),
    tar_case("a link out of a tar", header("ant/x.png", flag=b"2", link="/etc/passwd"), "a link to /etc/passwd"),
    tar_case("a link to itself", header("ant/x.png", flag=b"2", link="x.png"), "a link to x.png"),
    tar_case("a hard link out of a tar", header("ant/x.png", flag=b"1", link="../x"), "a link to ../x"),
    tar_case("an absolute path in a tar", member("/etc/x.png", b"x"), OUT),
    tar_case("a path that climbs out of a tar", member("../x.png", b"x"), OUT),
    tar_case("two members of one name in a tar", member("ant/0.png", b"x"), "two members have this name"),
    tar_case("a damaged header in a tar", b"x" * BLOCK, "is no header of a member"),
    tar_case("two tars in one", bytes(2 * BLOCK) + good_tar(), "a second archive follows"),
    refused("a tar that is cut", "x.tar", torn_tar, "it is cut short"),
    Case("pipes and devices in a tar", with_pipes, ("data", "report", "x.tar"), 0, ("2 pipe or device", "4 images")),
    gz_case("a tar.gz that unpacks a thousandfold", lambda: member("x.bin", bytes(70 * 10**6)), "64,000,000 bytes"),
    gz_case(
        "a tar.gz of 11,000 members",
        lambda: b"".join(header(f"x/{n}.txt") for n in range(11_000)),
        "more than 10,000 members",
    ),
    refused("an xz that asks for 4 GB", "x.tar.xz", greedy_xz, "Memory usage limit"),
    refused("a bz2 of 10 GB", "x.tar.bz2", bz2_bomb, "more than 64,000,000 bytes"),
]
