"""Appended bytes are on the disk when their digest is told, and a span is whole or it is not."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from engine.core.data.appending import append_synced, is_span_whole

FIRST, SECOND = b"one shard", b"and another"


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    for content in (FIRST, SECOND):
        append_synced(path, [content])
    return path


def is_whole(path: Path, start: int, content: bytes) -> bool:
    return is_span_whole(path, start, len(content), hashlib.sha256(content).hexdigest())


def test_digest_is_of_what_was_appended(tmp_path: Path) -> None:
    assert append_synced(tmp_path / "data.bin", [FIRST]) == hashlib.sha256(FIRST).hexdigest()
    assert append_synced(tmp_path / "data.bin", [SECOND[:5], SECOND[5:]]) == hashlib.sha256(SECOND).hexdigest()
    assert (tmp_path / "data.bin").read_bytes() == FIRST + SECOND


def test_bytes_are_synced_before_the_digest_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append(os.fstat(handle).st_size))
    append_synced(tmp_path / "data.bin", [FIRST])
    assert seen == [len(FIRST)]


def test_each_span_is_found_at_its_place(grown: Path) -> None:
    assert is_whole(grown, 0, FIRST)
    assert is_whole(grown, len(FIRST), SECOND)
    assert not is_whole(grown, 1, FIRST)


def test_changed_torn_or_lost_bytes_are_not_whole(grown: Path) -> None:
    os.truncate(grown, len(FIRST + SECOND) - 1)
    assert is_whole(grown, 0, FIRST)
    assert not is_whole(grown, len(FIRST), SECOND)
    grown.write_bytes(b"X" + FIRST[1:])
    assert not is_whole(grown, 0, FIRST)
    grown.unlink()
    assert not is_whole(grown, 0, FIRST)


def test_span_of_the_right_digest_and_another_size_is_not_whole(grown: Path) -> None:
    digest = hashlib.sha256(FIRST + SECOND).hexdigest()
    assert not is_span_whole(grown, 0, 1000, digest)
