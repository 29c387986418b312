"""Bytes of other formats: fields, records, checksums; against google.protobuf and files of the clients."""

from __future__ import annotations

import math
import struct
from contextlib import suppress

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from engine.exchange.wire import (
    BLOCK,
    BadFrame,
    crc32c,
    double,
    frame_event,
    frame_log,
    packed,
    read_events,
    read_fields,
    read_log,
    signed,
    single,
    varint,
)
from tests.exchange.sources import MADE

LOG = next(MADE.rglob("*.wandb")).read_bytes()
EVENTS = sorted(MADE.rglob("*tfevents*"))[0].read_bytes()


def test_fields_are_as_protobuf_writes_them() -> None:
    whole = struct_pb2.Value(struct_value=struct_pb2.Struct(fields={"a": struct_pb2.Value(number_value=1.5)}))
    ours = packed(5, packed(1, packed(1, "a") + packed(2, double(2, 1.5))))
    assert ours == whole.SerializeToString()
    assert list(read_fields(double(2, 1.5) + varint(4, 1))) == [(2, struct.pack("<d", 1.5)), (4, 1)]


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_whole_numbers_come_back(number: int) -> None:
    ((field, value),) = read_fields(varint(3, number))
    assert field == 3
    assert isinstance(value, int)
    assert signed(value) == number


def test_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C's catalogue


def test_float_too_large_is_infinite() -> None:
    assert single(2, 1e300) == single(2, math.inf)
    assert single(2, -1e300) == single(2, -math.inf)


def test_event_frames_are_the_clients_own() -> None:
    records = list(read_events(EVENTS))
    assert len(records) == 9
    assert b"".join(map(frame_event, records)) == EVENTS


def test_log_frames_are_the_clients_own() -> None:
    records = list(read_log(LOG, 7))
    assert LOG[:7] + b"".join(frame_log(iter(records), 7)) == LOG


@given(st.lists(st.integers(0, 2 * BLOCK + 9), max_size=6))
def test_records_over_several_blocks_come_back(sizes: list[int]) -> None:
    records = [bytes([at]) * size for at, size in enumerate(sizes)]
    assert list(read_log(bytes(7) + b"".join(frame_log(iter(records), 7)), 7)) == records


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_cut_off_record_is_told_with_its_place(cut: int) -> None:
    for read, data in ((read_events, EVENTS[:-cut]), (lambda data: read_log(data, 7), LOG[:-cut])):
        with pytest.raises(BadFrame, match="cut off"):
            list(read(data))


def test_changed_byte_of_a_log_is_found() -> None:
    changed = bytearray(LOG)
    changed[600] ^= 1
    with pytest.raises(BadFrame, match="checksum"):
        list(read_log(bytes(changed), 7))


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        assert all(number >= 0 for number, _ in read_fields(data))
