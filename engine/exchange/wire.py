"""Protocol Buffers and record frames: takes bytes of event files and .wandb files, gives fields, and the other way.

A message is a row of (number, wire type, value); which number means what stands beside its reader. Sources: the
encoding guide of Protocol Buffers; TFRecord (length, masked CRC-32C of it, data, masked CRC-32C of that); the log
format of LevelDB (blocks of 32 KiB; CRC, length, type; a record over several blocks as first, middle, last).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache

Field = tuple[int, int | bytes]
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
BLOCK, HEAD = 1 << 15, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


class BadFrame(ValueError):
    """Bytes that are no whole record; `at` is the offset where they begin."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.what, self.at = what, at


def read_fields(data: bytes) -> Iterator[Field]:
    """Yield the fields of a message; numbers of fixed width come as their bytes. Raises ValueError where it is none."""
    at, end = 0, len(data)
    while at < end:
        key, at = _read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _read_varint(data, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, at = _read_varint(data, at)
        elif kind in (FIXED32, FIXED64):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} is none")
        if at + size > end:
            raise ValueError("a field is cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def signed(value: int) -> int:
    """Return an int64 that was written as a varint: two's complement of 64 bits."""
    return value - (1 << 64) if value >> 63 else value


def varint(number: int, value: int) -> bytes:
    return _number(number << 3) + _number(value & ((1 << 64) - 1))


def packed(number: int, value: bytes | str) -> bytes:
    """Return a field of bytes, of text or of a message."""
    data = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | BYTES) + _number(len(data)) + data


def double(number: int, value: float) -> bytes:
    return _number(number << 3 | FIXED64) + struct.pack("<d", value)


def single(number: int, value: float) -> bytes:
    """Return a float32; what is too large for one becomes infinite."""
    try:
        return _number(number << 3 | FIXED32) + struct.pack("<f", value)
    except OverflowError:
        return _number(number << 3 | FIXED32) + struct.pack("<f", float("inf") if value > 0 else float("-inf"))


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


# TFRecord -------------------------------------------------------------------------------------------------------------


def read_events(data: bytes) -> Iterator[bytes]:
    """Yield the records of an event file. Raises BadFrame at one that is cut off or whose length is damaged.

    Of the data only the frame is checked: a checksum of every byte would take longer in Python than all else.
    """
    at, end = 0, len(data)
    while at < end:
        if at + 12 > end:
            raise BadFrame("the last record is cut off", at)
        size, check = struct.unpack_from("<QI", data, at)
        if check != masked(crc32c(data[at : at + 8])):
            raise BadFrame("this is no record of an event file", at)
        if at + 16 + size > end:
            raise BadFrame("the last record is cut off", at)
        yield data[at + 12 : at + 12 + size]
        at += 16 + size


def frame_event(data: bytes) -> bytes:
    """Return a record of an event file."""
    size = struct.pack("<Q", len(data))
    head = size + struct.pack("<I", masked(crc32c(size)))
    return head + data + struct.pack("<I", masked(crc32c(data)))


def masked(value: int) -> int:
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Return CRC-32 with Castagnoli's polynomial."""
    table, value = _castagnoli(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


@cache
def _castagnoli() -> tuple[int, ...]:
    table = []
    for start in range(256):
        value = start
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


# LevelDB's log --------------------------------------------------------------------------------------------------------


def read_log(data: bytes, start: int) -> Iterator[bytes]:
    """Yield the records of a log whose first block begins with `start` other bytes. Raises BadFrame as read_events."""
    at, end, parts = start, len(data), list[bytes]()
    while at < end:
        left = BLOCK - at % BLOCK
        if left < HEAD:  # too little for a head: zeros
            at += left
            continue
        if at + HEAD > end:
            raise BadFrame("the last record is cut off", at)
        check, size, kind = struct.unpack_from("<IHB", data, at)
        if kind == 0 and size == 0:
            raise BadFrame("the last record is cut off", at)
        body = data[at + HEAD : at + HEAD + size]
        if len(body) < size:
            raise BadFrame("the last record is cut off", at)
        if kind not in (FULL, FIRST, MIDDLE, LAST) or check != log_sum(kind, body):
            raise BadFrame("a record's checksum does not hold", at)
        parts = [*parts, body] if kind in (MIDDLE, LAST) else [body]
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []
        at += HEAD + size


def log_sum(kind: int, body: bytes) -> int:
    """Return the checksum of a fragment: W&B takes CRC-32 of zlib, unmasked, where LevelDB takes CRC-32C."""
    return zlib.crc32(bytes([kind]) + body)


def frame_log(records: Iterator[bytes], start: int) -> Iterator[bytes]:
    """Yield the records as fragments of a log whose first block begins with `start` other bytes."""
    at = start
    for record in records:
        rest, is_first = record, True
        while is_first or rest:
            left = BLOCK - at % BLOCK
            if left < HEAD:
                yield bytes(left)
                at += left
                left = BLOCK
            body, rest = rest[: left - HEAD], rest[left - HEAD :]
            kind = (FIRST if rest else FULL) if is_first else (MIDDLE if rest else LAST)
            yield struct.pack("<IHB", log_sum(kind, body), len(body), kind) + body
            at += HEAD + len(body)
            is_first = False
