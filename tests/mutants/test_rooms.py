"""Rooms are found by name wherever they lie; a name of several or none is refused with the rooms there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.rooms import UnknownRoom, files_of, find_room
from tests.mutants.trees import write_tree


@pytest.mark.parametrize(
    ("name", "room"),
    [("a", "engine/a"), ("data", "engine/core/data"), ("spec/data", "engine/spec/data"), ("b.py", "engine/b")],
)
def test_a_name_finds_its_room(tmp_path: Path, name: str, room: str) -> None:
    assert find_room(write_tree(tmp_path), name) == room


def test_a_name_of_two_lists_both(tmp_path: Path) -> None:
    with pytest.raises(UnknownRoom, match="engine/spec/both, store/both"):
        find_room(write_tree(tmp_path), "both")


@pytest.mark.parametrize("name", ["nothing", ""])
def test_an_unknown_name_lists_rooms(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownRoom, match=r"rooms are engine, engine/a, engine/a/words"):
        find_room(write_tree(tmp_path), name)


def test_queries_belong_to_their_room(tmp_path: Path) -> None:
    files = files_of(write_tree(tmp_path), "engine/a")
    assert files == ["engine/a/__init__.py", "engine/a/words.py", "store/queries/a_rows.sql"]


def test_a_file_is_a_room(tmp_path: Path) -> None:
    assert files_of(write_tree(tmp_path), "engine/b") == ["engine/b.py"]
