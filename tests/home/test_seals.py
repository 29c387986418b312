"""Checksums: of an object's content however it is spelt, of a file's beginning."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from engine.home.seals import CHUNK, FileSum, holds, is_sealed, seal, sum_start

ABC = hashlib.sha256(b"abc").hexdigest()


def test_a_sealed_object_holds_until_anything_in_it_changes() -> None:
    sealed = seal({"b": [1, 2.5, None], "a": {"x": "y"}})
    assert is_sealed(sealed)
    assert holds(sealed)
    assert holds(dict(reversed(sealed.items())))
    assert seal(sealed) == sealed
    for changed in ({**sealed, "b": [1, 2.5]}, {**sealed, "c": 1}, {**sealed, "self": "0" * 64}, {"a": 1}):
        assert not holds(changed)
    assert not is_sealed({"a": 1})


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 7])
def test_the_sum_of_a_beginning_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    raw = bytes(number % 251 for number in range(CHUNK + 9))
    (tmp_path / "file").write_bytes(raw)
    assert sum_start(tmp_path / "file", size) == (size, hashlib.sha256(raw[:size]).hexdigest())
    assert sum_start(tmp_path / "file") == (len(raw), hashlib.sha256(raw).hexdigest())


def test_a_file_may_grow_only_where_it_is_allowed_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    told = FileSum.of(tmp_path, "file")
    (tmp_path / "file").write_bytes(b"abcd")
    assert told.problem(tmp_path) == "has 4 bytes and had 3"
    assert told.problem(tmp_path, may_grow=True) is None
    (tmp_path / "file").write_bytes(b"abx")
    assert told.problem(tmp_path, may_grow=True) == "its checksum does not hold"
    (tmp_path / "file").write_bytes(b"ab")
    assert told.problem(tmp_path, may_grow=True) == "has 2 bytes and had 3"
    (tmp_path / "file").unlink()
    assert told.problem(tmp_path) == "is gone"
    (tmp_path / "file").mkdir()
    assert str(told.problem(tmp_path)).startswith("has ") or "cannot be read" in str(told.problem(tmp_path))


@pytest.mark.parametrize("name", ["../victim", "a/../../victim", "/etc/passwd"])
def test_a_sum_tells_of_no_file_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "victim").write_bytes(b"abc")
    (tmp_path / "job").mkdir()
    assert FileSum(name, 3, ABC).problem(tmp_path / "job") == "does not lie in the folder that tells of it"


@pytest.mark.parametrize("told", [None, [], {}, {"name": 5, "bytes": 3, "sha256": ABC}, {"name": "a", "bytes": "3"}])
def test_json_that_is_no_sum_is_none(told: object) -> None:
    assert FileSum.read(told) is None
