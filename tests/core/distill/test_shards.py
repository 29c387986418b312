"""Shards: what was finished outlives a kill, the rest is cut off, and nothing of another kind is taken over."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine.core.distill.shards import LIST, TargetShards


def rows(number: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.full(4, number, dtype=np.int16)


def write_three(folder: Path) -> None:
    writer = TargetShards(folder, "a")
    for number in range(3):
        writer.append("one.bin", rows(number))
    writer.append("two.bin", rows(7))


def test_the_list_says_bytes_and_digest_of_each_shard(tmp_path: Path) -> None:
    write_three(tmp_path)
    held = json.loads((tmp_path / LIST).read_text())
    assert held["of"] == "a"
    assert [(one["file"], one["bytes"]) for one in held["shards"]] == [("one.bin", 8)] * 3 + [("two.bin", 8)]
    assert [one["sha256"] for one in held["shards"]] == [
        hashlib.sha256(rows(number).tobytes()).hexdigest() for number in (0, 1, 2, 7)
    ]
    assert (tmp_path / "one.bin").read_bytes() == b"".join(rows(number).tobytes() for number in range(3))


def test_each_file_goes_on_behind_its_own_shards(tmp_path: Path) -> None:
    write_three(tmp_path)
    again = TargetShards(tmp_path, "a")
    assert (again.size("one.bin"), again.size("two.bin"), again.size("none.bin")) == (24, 8, 0)
    again.append("two.bin", rows(8))
    assert (tmp_path / "two.bin").read_bytes() == rows(7).tobytes() + rows(8).tobytes()


@pytest.mark.parametrize(("place", "left"), [(0, {}), (9, {"one.bin": 8}), (23, {"one.bin": 16})])
def test_from_the_first_damaged_shard_on_all_is_dropped(tmp_path: Path, place: int, left: dict[str, int]) -> None:
    write_three(tmp_path)
    raw = bytearray((tmp_path / "one.bin").read_bytes())
    raw[place] ^= 1
    (tmp_path / "one.bin").write_bytes(raw)
    TargetShards(tmp_path, "a")
    assert {path.name: path.stat().st_size for path in tmp_path.glob("*.bin")} == left


def test_a_torn_or_lost_file_ends_what_is_whole(tmp_path: Path) -> None:
    write_three(tmp_path)
    os.truncate(tmp_path / "one.bin", 20)
    assert TargetShards(tmp_path, "a").size("one.bin") == 16
    (tmp_path / "one.bin").unlink()
    assert TargetShards(tmp_path, "a").shards == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"of": "a"}', '{"of": "a", "shards": [{"file": "one.bin"}]}'])
def test_a_list_that_says_nothing_begins_again(tmp_path: Path, text: str) -> None:
    write_three(tmp_path)
    (tmp_path / LIST).write_text(text)
    assert TargetShards(tmp_path, "a").shards == []
    assert list(tmp_path.iterdir()) == []


def test_a_shard_is_on_the_disk_before_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, bool]] = []
    real = os.fsync

    def sync(handle: int) -> None:
        seen.append((os.fstat(handle).st_ino, (tmp_path / LIST).exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", sync)
    TargetShards(tmp_path, "a").append("one.bin", rows(0))
    assert seen[0] == ((tmp_path / "one.bin").stat().st_ino, False)
    assert (tmp_path / LIST).exists()


def test_finished_files_have_no_list(tmp_path: Path) -> None:
    write_three(tmp_path)
    writer = TargetShards(tmp_path, "a")
    writer.finish()
    writer.finish()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.bin", "two.bin"]


def test_shards_of_something_else_are_removed(tmp_path: Path) -> None:
    write_three(tmp_path)
    assert TargetShards(tmp_path, "b").shards == []
    assert list(tmp_path.iterdir()) == []
