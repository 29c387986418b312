"""How far a search is, as people read it."""

from __future__ import annotations

from pathlib import Path

from engine.home.files import write_json
from engine.home.paths import open_home
from engine.schedule.searched import ArmProgress, read_progress, write_progress


def test_what_was_written_is_read(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    home.experiment("study").mkdir(parents=True)
    arm = ArmProgress("a", 9, 3, 1, 0, 2, (("a-t001", {"val_top1": 0.5}),))
    write_progress(home, "study", [arm])
    assert read_progress(home, "study") == (arm,)
    assert str(arm) == "a: 3 of 9 trials done, 1 open, 2 refused; best val_top1 0.5 (a-t001)"


def test_a_front_is_told_by_its_first_points() -> None:
    points = tuple((f"a-t{at:03d}", {"val_top1": at / 10, "macs": 100.0 * at}) for at in range(7))
    told = str(ArmProgress("a", 9, 7, 0, 0, 0, points))
    assert "front: val_top1 0, macs 0 (a-t000); val_top1 0.1, macs 100 (a-t001)" in told
    assert told.endswith("and 2 more")


def test_nothing_and_other_files_tell_nothing(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    assert read_progress(home, "study") == ()
    home.experiment("study").mkdir(parents=True)
    write_json(home.search_mark("study", ".json"), {"arms": [{"arm": "a"}]})
    assert read_progress(home, "study") == ()


def test_what_was_written_when_open_ones_were_called_running_is_read(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    home.experiment("study").mkdir(parents=True)
    old = {"arm": "a", "asked": 9, "done": 3, "running": 1, "failed": 0, "refused": 2, "best": []}
    write_json(home.search_mark("study", ".json"), {"arms": [old]})
    assert read_progress(home, "study") == (ArmProgress("a", 9, 3, 1, 0, 2, ()),)
