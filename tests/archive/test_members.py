"""The members of an archive: a folder's files by their names, and checksums that read back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from engine.archive.members import FolderMembers, digest_member, read_sums, unpack_below, write_sums


@pytest.fixture
def folder(tmp_path: Path) -> FolderMembers:
    for name, data in {"home/a/b.json": b"{}", "home/c": b"c" * (3 << 20), "results/d.parquet": b"d"}.items():
        path = tmp_path / "stage" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return FolderMembers(tmp_path / "stage")


def test_names_are_paths_in_one_order(folder: FolderMembers) -> None:
    assert folder.names() == ["home/a/b.json", "home/c", "results/d.parquet"]


def test_a_large_member_is_summed_whole(folder: FolderMembers) -> None:
    assert digest_member(folder, "home/c") == hashlib.sha256(b"c" * (3 << 20)).hexdigest()


def test_sums_read_back(folder: FolderMembers) -> None:
    text = write_sums(folder, folder.names())
    assert read_sums(text) == {name: digest_member(folder, name) for name in folder.names()}


@pytest.mark.parametrize("text", ["nothing\n", "ab  name\n", f"{'a' * 64} name\n"])
def test_a_line_that_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no checksum"):
        read_sums(text)


def test_only_what_lies_below_is_unpacked(folder: FolderMembers, tmp_path: Path) -> None:
    unpack_below(folder, "home", tmp_path / "out")
    assert FolderMembers(tmp_path / "out").names() == ["a/b.json", "c"]
