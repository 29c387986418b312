"""A removal is written down before anything moves, and every path is in its place or in the trash."""

from __future__ import annotations

import os

import pytest

from engine.errors import HomeError
from engine.home.files import read_object
from engine.home.paths import Home
from engine.schedule.keep import trash
from engine.schedule.keep.trash import (
    Entry,
    begin_removal,
    clear_retired,
    drop_removal,
    lies_in_trash,
    list_removals,
    move_entries,
    places_of,
    put_back,
    retire,
)

ENTRIES = [
    Entry(kind="job", place="home", path="jobs/train-old", bytes=7),
    Entry(kind="pack", place="cache", path="pack/pack-old", bytes=5),
    Entry(kind="job", place="home", path="jobs/nothing"),
]


def test_it_is_written_before_anything_moves(home: Home) -> None:
    removal = begin_removal(home, "xp gc", ENTRIES)
    assert read_object(home.trash / removal.id / "removal.json") == removal.model_dump(mode="json")
    assert home.job("train-old").root.is_dir()
    assert list_removals(home) == [removal]
    assert removal.bytes == 12


def test_entries_go_and_come_back_by_number(home: Home) -> None:
    removal = begin_removal(home, "xp gc", ENTRIES)
    assert move_entries(home, removal) == 2
    assert [lies_in_trash(home, removal, number) for number in range(3)] == [True, True, False]
    assert not home.pack("pack-old").exists()
    assert places_of(home, removal, 1)[1].parent == home.cache_trash / removal.id
    assert put_back(home, removal, 0)
    assert put_back(home, removal, 1)
    assert not put_back(home, removal, 2)
    assert home.job("train-old").result.exists()
    assert home.pack("pack-old").is_dir()


def test_what_has_the_name_by_now_stays(home: Home) -> None:
    removal = begin_removal(home, "xp gc", ENTRIES[:1])
    move_entries(home, removal)
    home.job("train-old").root.mkdir()
    assert not put_back(home, removal, 0)
    assert list(home.job("train-old").root.iterdir()) == []


def test_another_file_system_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, os.strerror(18))

    removal = begin_removal(home, "xp gc", ENTRIES)
    monkeypatch.setattr("engine.schedule.keep.trash.os.rename", refuse)
    with pytest.raises(HomeError, match="another file system than the trash"):
        move_entries(home, removal)


def test_what_is_not_ours_stays_in_the_trash(home: Home) -> None:
    """A folder without a readable removal, another home's part of the cache's trash, and one that is being undone."""
    (home.trash / "mine").mkdir(parents=True)
    (home.trash / "mine" / "removal.json").write_text("{")
    (home.cache_trash / "0123456789ab").mkdir(parents=True)
    begun = begin_removal(home, "xp gc", ENTRIES)
    trash.write_removal(home, begun.model_copy(update={"is_undone": True}))
    assert retire(home, older=0.0) == 0
    clear_retired(home)
    assert {path.name for path in home.trash.iterdir()} == {"mine", begun.id}
    assert (home.cache_trash / "0123456789ab").is_dir()


def test_a_drop_that_was_cut_off_can_be_done_again(home: Home) -> None:
    removal = begin_removal(home, "xp gc", ENTRIES)
    move_entries(home, removal)
    (home.cache_trash / removal.id).rename(home.cache_trash / f"{removal.id}.gone")
    drop_removal(home, removal)
    clear_retired(home)
    assert [*home.trash.iterdir(), *home.cache_trash.iterdir()] == []
