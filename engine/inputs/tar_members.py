"""The members of a tar: takes its plain bytes, gives name, kind, size and place of each; holds no more than a header.

Not by tarfile, which trusts what is written: a negative size is an endless loop there, a long pax header takes time by
the square of its length, a damaged header ends the list without a word, and all members stay in memory. Formats: v7,
ustar, GNU (long names, base-256 numbers) and pax (path, linkpath, size), as POSIX.1-2008 and the GNU tar manual have
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["file", "hard link", "link", "folder", "sparse file", "pipe or device"]

BLOCK = 512
PIECE = 1 << 20
MOST_HEADER = 1 << 20
"""Bytes of a long name or a pax header; those that tar writes have a few hundred."""
MOST_SIZE = 1 << 62
"""Bytes; no file system has files so large, and places behind them do not fit into 64 bits."""
KINDS: Mapping[bytes, Kind] = {
    b"0": "file", b"\0": "file", b"7": "file",
    b"1": "hard link", b"2": "link", b"5": "folder", b"S": "sparse file",
}  # fmt: skip
WITHOUT_CONTENT = b"123456"
LONG = {b"L": "path", b"K": "linkpath"}
ZEROS = bytes(BLOCK)


class Source(Protocol):
    """What a tar is read from."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, place: int, /) -> int: ...

    def seekable(self) -> bool: ...


class TarDamage(Exception):
    """The bytes are no tar, or not a whole one."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """`start` is where its `size` bytes of content begin in the plain tar; `target` is what a link names."""

    name: str
    kind: Kind
    size: int
    start: int
    target: str = ""


class TarReader:
    """Reads a tar once, from front to back: iterate over the members, and read the content of the last one."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def __iter__(self) -> Iterator[TarMember]:
        """Yield the members. Raises TarDamage where a header is none, or where the tar ends in the midst of a file."""
        common: dict[str, bytes] = {}
        own: dict[str, bytes] = {}
        while (block := self._next_header()) is not None:
            flag = block[156:157]
            if flag not in (b"L", b"K", b"x", b"X", b"g"):
                member = _make_member(block, common | own, self._at)
                yield member
                self._skip_to(member.start + _padded(member.size))
                own = {}
            elif flag in LONG:
                own[LONG[flag]] = self._read_header(block).partition(b"\0")[0]
            else:
                (common if flag == b"g" else own).update(_pax_records(self._read_header(block)))

    def pieces(self, member: TarMember) -> Iterator[bytes]:
        """Yield the content of a file, PIECE bytes or fewer at a time."""
        self._skip_to(member.start)
        left = member.size
        while left:
            piece = self._read(min(PIECE, left))
            left -= len(piece)
            yield piece

    def _next_header(self) -> bytes | None:
        start, block = self._at, self._source.read(BLOCK)
        self._at += len(block)
        if block == ZEROS or (not block and start):
            self._check_end()
            return None
        if len(block) < BLOCK:
            raise TarDamage("it is empty" if not block else f"it ends in the midst of a header, at byte {self._at}")
        if not _is_header(block):
            raise TarDamage(f"what stands at byte {start} is no header of a member")
        return block

    def _check_end(self) -> None:
        """Behind the end may be zeros, or anything but more members: most tools would not see those."""
        while (block := self._source.read(BLOCK)) == ZEROS:
            pass
        if len(block) == BLOCK and _is_header(block):
            raise TarDamage("a second archive follows behind its end: make them two files")

    def _read_header(self, block: bytes) -> bytes:
        size = _number(block[124:136])
        if size > MOST_HEADER:
            raise TarDamage(f"a header says that it has {size:,} bytes, and names take {MOST_HEADER:,} at most")
        return self._read(_padded(size))[:size]

    def _read(self, size: int) -> bytes:
        """Return `size` bytes, PIECE at most."""
        content = self._source.read(size)
        self._at += len(content)
        if len(content) < size:
            raise TarDamage(f"it is cut short: it ends at byte {self._at}")
        return content

    def _skip_to(self, place: int) -> None:
        if self._source.seekable() and place > self._at:
            # One byte is read, as a file can be sought in far beyond its end.
            self._source.seek(place - 1)
            self._at = place - 1
        while self._at < place:
            self._read(min(PIECE, place - self._at))


def _make_member(block: bytes, told: Mapping[str, bytes], start: int) -> TarMember:
    """Return the member of a header; what `told` has of it from the headers before it wins."""
    flag = block[156:157]
    name = told.get("GNU.sparse.name", told.get("path", _plain_name(block)))
    kind = KINDS.get(flag, "pipe or device")
    if any(key.startswith("GNU.sparse.") for key in told):
        kind = "sparse file"
    if flag == b"\0" and name.endswith(b"/"):
        kind = "folder"  # as v7 has them
    size = _decimal(told["size"]) if "size" in told else _number(block[124:136])
    has_content = flag not in WITHOUT_CONTENT and kind != "folder"
    target = told.get("linkpath", _text(block[157:257]))
    name = name.rstrip(b"/") if kind == "folder" else name
    return TarMember(_decode(name), kind, size if has_content else 0, start, _decode(target))


def _plain_name(block: bytes) -> bytes:
    name, prefix = _text(block[:100]), _text(block[345:500])
    # GNU tar keeps times where ustar has the beginning of a long name.
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _is_header(block: bytes) -> bool:
    """Whether the checksum holds: the sum of all bytes, its own field counted as blanks; old tars add signed ones."""
    try:
        stated = _number(block[148:156])
    except TarDamage:
        return False
    others = block[:148] + block[156:]
    unsigned = 256 + sum(others)
    return stated in (unsigned, unsigned - 256 * sum(byte > 127 for byte in others))


def _number(field: bytes) -> int:
    """Return a number: octal digits, or where the first bit is set base 256."""
    if field[0] == 0x80:
        value = int.from_bytes(field[1:], "big")
        if value > MOST_SIZE:
            raise TarDamage(f"a header has {value:,} as a size")
        return value
    digits = _text(field).strip()
    if not re.fullmatch(rb"[0-7]*", digits):
        raise TarDamage(
            "a header has a size below zero" if field[0] == 0xFF else f"a header has {digits!r} as a number"
        )
    return int(digits or b"0", 8)


def _decimal(value: bytes) -> int:
    if not re.fullmatch(rb"\d{1,19}", value):
        raise TarDamage(f"a pax header has {value[:20]!r} as a size")
    return int(value)


def _pax_records(raw: bytes) -> dict[str, bytes]:
    """Return key -> value of records such as `18 path=ant/1.png` and a line feed; the number is the record's length."""
    found: dict[str, bytes] = {}
    place = 0
    while place < len(raw) and raw[place] != 0:
        length = re.match(rb"(\d{1,7}) ", raw[place : place + 8])
        end = place + int(length[1]) if length else 0
        key, equals, value = raw[place + (length.end() if length else 0) : end - 1].partition(b"=")
        if not key or not equals or not place < end <= len(raw) or raw[end - 1 : end] != b"\n":
            raise TarDamage("a pax header is damaged")
        found[_decode(key)] = value
        place = end
    return found


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
