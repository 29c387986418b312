"""Marks of GPUs: kept in the home for this machine, whatever the ids are, and read without trust."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.schedule import slot_marks
from engine.schedule.placing import Doubts
from engine.schedule.slot_marks import SlotMarks
from tests.helpers.queueing import make_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def shut(home: Home, slot: str, reason: str = "it broke") -> None:
    SlotMarks(home).put(slot, reason, "train-1", 2, is_shut=True)


def test_a_mark_is_found_again_until_it_is_cleared(home: Home) -> None:
    assert SlotMarks(home).doubts() == Doubts()
    shut(home, "MIG-7/1/0")
    SlotMarks(home).put("GPU-5a", "it may be broken", "train-2", 1, is_shut=False)
    marks = SlotMarks(home)
    assert marks.doubts() == Doubts(frozenset({"MIG-7/1/0"}), {"GPU-5a": "train-2"})
    (mark,) = marks.list_shut()
    assert str(mark) == (
        "slot MIG-7/1/0 is shut out: it broke (train-1, attempt 2); no job goes there until `xp retry MIG-7/1/0`"
    )
    marks.clear(["MIG-7/1/0", "GPU-5a", "GPU-never"])
    assert SlotMarks(home).list_all() == []


def test_a_mark_of_another_machine_is_not_ours(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    shut(home, "0")
    monkeypatch.setattr(slot_marks, "host_name", lambda: "elsewhere")
    assert SlotMarks(home).list_all() == []


def test_a_change_is_news_once_and_to_every_reader(home: Home) -> None:
    one, other = SlotMarks(home), SlotMarks(home)
    assert not one.has_changed()
    shut(home, "GPU-5a")
    assert (one.has_changed(), one.has_changed(), other.has_changed()) == (True, False, True)
    other.clear(["GPU-5a"])
    assert one.has_changed()


def test_a_change_within_a_tick_of_the_clock_is_news_too(home: Home) -> None:
    marks = SlotMarks(home)
    shut(home, "GPU-5a")
    at = marks.folder.stat().st_mtime_ns
    assert marks.has_changed()
    marks.clear(["GPU-5a"])
    os.utime(marks.folder, ns=(at, at))
    assert marks.has_changed()


def test_a_file_that_is_no_mark_is_passed_over(home: Home) -> None:
    shut(home, "GPU-5a")
    folder = SlotMarks(home).folder
    (folder / "torn.json").write_text('{"slot": "GPU-')
    (folder / "other.json").write_text('{"slot": "GPU-9"}')
    assert [mark.slot for mark in SlotMarks(home).list_all()] == ["GPU-5a"]
