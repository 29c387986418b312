"""Frozen numbers tell what of a paper is not as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.collect import collect, rebuild
from engine.errors import QueryError
from engine.freeze import freeze_numbers, list_changes
from tests.synthetic import ARMS, SyntheticHome


def _made(folder: Path) -> SyntheticHome:
    made = SyntheticHome(folder / "home")
    made.experiment("paper", {name: ARMS[name] for name in ("original", "proposed")}, (0, 1))
    collect(made.home)
    return made


def test_nothing_changes_by_a_rebuild(tmp_path: Path) -> None:
    made = _made(tmp_path)
    path = freeze_numbers(made.home, "paper", tmp_path / "frozen.json")
    rebuild(made.home)
    assert list_changes(made.home, path) == []


def test_more_seeds_and_a_lost_arm_are_named(tmp_path: Path) -> None:
    made = _made(tmp_path)
    path = freeze_numbers(made.home, "paper", tmp_path / "frozen.json")
    runs = made.experiment("paper", {"original": ARMS["original"]}, (2,))
    made.record("paper", [*made_runs(made), *runs], "original")
    collect(made.home)
    changes = {(one.arm, one.metric): str(one) for one in list_changes(made.home, path)}
    assert "n=2 -> " in changes["original", "test_top1"]
    assert "n=3" in changes["original", "test_top1"]
    assert "gone" in changes["proposed", "test_top1"]


def made_runs(made: SyntheticHome) -> list[dict[str, object]]:
    import json

    record = json.loads(made.home.records("paper")[0].read_text())
    return [run for run in record["runs"] if run["arm"] == "original"]


def test_other_files_and_names_are_refused(tmp_path: Path) -> None:
    made = _made(tmp_path)
    with pytest.raises(QueryError, match="did you mean 'paper'"):
        freeze_numbers(made.home, "papr", tmp_path / "frozen.json")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(QueryError, match="no file of frozen numbers"):
        list_changes(made.home, tmp_path / "other.json")
    with pytest.raises(QueryError, match="cannot read"):
        list_changes(made.home, tmp_path / "none.json")
