"""A sweep takes what nothing needs, brings it back when told, and leaves queue and results in order."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from filelock import FileLock

from engine.errors import HomeError
from engine.home.paths import Home, open_home
from engine.home.users import note_user
from engine.schedule.keep.choose import Wish
from engine.schedule.keep.sweep import empty, sweep
from engine.schedule.keep.trash import clear_retired, list_removals, removing
from engine.schedule.keep.undo import undo
from tests.helpers.keeping import files_of, make_two, put_experiment
from tests.helpers.queueing import faults, states

KEPT = ("queue.db", "trash", "cache/trash", "keep.lock", "ingest.lock", "cache/pack/pack-old.lock")


def test_what_nothing_needs_goes_and_comes_back(home: Home) -> None:
    before = files_of(home.root, *KEPT)
    swept = sweep(home)
    assert swept.bytes > 0
    assert {name for name, _, _ in swept.counts()} == {"checkpoints", "job", "pack"}
    after = files_of(home.root, *KEPT)
    assert not any("-old" in name or "/checkpoints/" in name for name in after)
    assert after.items() <= before.items()
    assert faults(home) == []
    undone = undo(home)
    assert (undone.back, undone.left) == (len(swept.entries), ())
    assert files_of(home.root, *KEPT) == before
    assert list_removals(home) == []


def test_a_second_sweep_finds_nothing(home: Home) -> None:
    sweep(home)
    again = sweep(home)
    assert (again.entries, again.removal) == ((), None)


def test_a_dry_run_changes_nothing(home: Home) -> None:
    before = files_of(home.root, "queue.db")
    swept = sweep(home, dry_run=True)
    assert len(swept.entries) == 8
    assert files_of(home.root, "queue.db") == before


def test_jobs_that_are_wanted_by_now_stay(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is asked last: here an experiment came that the look had not seen."""
    from engine.schedule.keep import sweep as room

    found = room._choose(home, Wish())
    put_experiment(home, "late", {"a@0": ["train-old"]}, {"train-old": ()})
    monkeypatch.setattr(room, "_choose", lambda *_: found)
    sweep(home)
    assert home.job("train-old").result.exists()
    assert home.pack("pack-p").exists()
    assert not home.job("pack-old").root.exists()


def test_the_trash_is_emptied_after_a_day(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = sweep(home).bytes
    assert sweep(home).purged == 0
    now = time.time()
    monkeypatch.setattr("engine.schedule.keep.trash.time.time", lambda: now + 90_000)
    assert sweep(home).purged == taken
    assert list(home.trash.iterdir()) == []
    assert list(home.cache_trash.iterdir()) == []


def test_the_trash_is_emptied_at_once_if_asked(home: Home) -> None:
    taken = sweep(home).bytes
    assert empty(home) == taken
    assert list_removals(home) == []


def test_what_was_cut_off_half_deleted_is_finished(home: Home) -> None:
    sweep(home)
    number = list_removals(home)[0].id
    (home.trash / number).rename(home.trash / f"{number}.gone")
    clear_retired(home)
    assert list(home.trash.iterdir()) == []


def test_who_submits_or_removes_is_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        FileLock(home.keep_lock),
        pytest.raises(HomeError, match="something else removes or submits"),
        removing(home, wait=0.0),
    ):
        pass


def test_a_shared_cache_is_left_alone_unless_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_CACHE", str(tmp_path / "cache"))
    home, other = (open_home(tmp_path / name, create=True) for name in ("home", "other"))
    make_two(home)
    note_user(home)
    note_user(other)
    put_experiment(other, "far", {"a@0": ["pack-old"]}, {"pack-old": ()})
    told = sweep(home, dry_run=True)
    assert not any(entry.place == "cache" for entry in told.entries)
    assert str(other.root) in told.notes[0]
    home.pack("pack-none").mkdir()
    told = sweep(home, Wish(shared_cache=True), dry_run=True)
    assert [entry.path for entry in told.entries if entry.place == "cache"] == ["pack/pack-none"]
    assert any(entry.path == "jobs/pack-old" for entry in told.entries), "the folder is this home's alone"
    other.root.rename(tmp_path / "moved")
    told = sweep(home, Wish(shared_cache=True), dry_run=True)
    assert not any(entry.place == "cache" for entry in told.entries)
    assert "cannot be looked at" in told.notes[0]


def test_states_of_the_rest_stay(home: Home) -> None:
    before = states(home)
    sweep(home)
    assert states(home) == before


def test_a_home_without_a_queue_is_given_none(home: Home) -> None:
    for path in home.root.glob("queue.db*"):
        path.unlink()
    assert len(sweep(home).entries) == 8
    undo(home)
    assert not home.queue_db.exists()
