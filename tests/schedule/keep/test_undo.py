"""Undoing takes the newest removal or the one that is named; cut off, it is finished by whoever comes next."""

from __future__ import annotations

import pytest

from engine.errors import XpError
from engine.home.paths import Home
from engine.schedule.keep import undo as room
from engine.schedule.keep.remove import remove
from engine.schedule.keep.sweep import sweep
from engine.schedule.keep.trash import list_removals, put_back, write_removal
from engine.schedule.keep.undo import undo
from store.queue import Queue


def test_an_empty_trash_is_told(home: Home) -> None:
    with pytest.raises(XpError, match=r"(?s)the trash is empty.*fix: what is removed can come back for a day"):
        undo(home)


def test_the_newest_comes_back_first(home: Home) -> None:
    swept = sweep(home)
    _, removal = remove(home, "two")
    assert undo(home).removal.id == removal.id
    assert undo(home).removal.id == swept.removal


def test_one_is_named_by_its_beginning(home: Home) -> None:
    swept = sweep(home)
    remove(home, "two")
    assert swept.removal is not None
    with pytest.raises(XpError, match=r"(?s)there is no removal 'zz'.*xp rm two"):
        undo(home, "zz")
    with pytest.raises(XpError, match="'' begins 2 removals"):
        undo(home, "")
    assert undo(home, swept.removal[:6]).removal.command == "xp gc"
    assert [one.command for one in list_removals(home)] == ["xp rm two"]


def test_one_that_was_cut_off_is_finished_by_a_sweep(home: Home) -> None:
    """Half of it is back, which nothing needs: a sweep must not take it again."""
    swept = sweep(home)
    removal = list_removals(home)[0]
    write_removal(home, removal.model_copy(update={"is_undone": True}))
    assert put_back(home, removal, 0)
    again = sweep(home)
    assert {entry.path for entry in again.entries} == {entry.path for entry in swept.entries}
    assert [one.id for one in list_removals(home)] == [again.removal]


def test_an_experiment_is_back_after_its_jobs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    remove(home, "one")
    order: list[str] = []

    def note(home: Home, removal: object, number: int) -> bool:
        order.append(list_removals(home)[0].entries[number].kind)
        return put_back(home, removal, number)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(room, "put_back", note)
    undo(home)
    assert order[-1] == "experiment"
    with Queue.open_readonly(home.queue_db) as queue:
        assert {row.state for row in queue.experiment_rows("one")} == {"done"}
