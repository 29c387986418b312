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
    assert list_changes(made.home, "paper", path) == []


def test_more_seeds_and_a_lost_arm_are_named(tmp_path: Path) -> None:
    made = _made(tmp_path)
    path = freeze_numbers(made.home, "paper", tmp_path / "frozen.json")
    runs = made.experiment("paper", {"original": ARMS["original"]}, (2,))
    made.record("paper", [*made_runs(made), *runs], "original")
    collect(made.home)
    changes = {(one.arm, one.metric): str(one) for one in list_changes(made.home, "paper", path)}
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
        list_changes(made.home, "paper", tmp_path / "other.json")
    (tmp_path / "half.json").write_text('{"version": 1}')
    with pytest.raises(QueryError, match="no file of frozen numbers"):
        list_changes(made.home, "paper", tmp_path / "half.json")
    (tmp_path / "noise.json").write_bytes(bytes(range(256)))
    with pytest.raises(QueryError, match="cannot read"):
        list_changes(made.home, "paper", tmp_path / "noise.json")


def test_a_name_finds_its_file_and_an_unknown_one_brings_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _made(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert freeze_numbers(made.home, "paper") == Path("paper.frozen.json")
    assert list_changes(made.home, "paper", "paper") == []
    with pytest.raises(QueryError, match=r"(?s)no frozen numbers 'papr'.*did you mean 'paper'"):
        list_changes(made.home, "paper", "papr")


def test_frozen_numbers_are_never_overwritten_by_others(tmp_path: Path) -> None:
    made = _made(tmp_path)
    path = freeze_numbers(made.home, "paper", tmp_path / "frozen.json")
    before = path.read_text()
    assert freeze_numbers(made.home, "paper", path) == path
    runs = made.experiment("paper", {"original": ARMS["original"]}, (2,))
    made.record("paper", runs, "original")
    collect(made.home)
    with pytest.raises(QueryError, match="other content"):
        freeze_numbers(made.home, "paper", path)
    assert path.read_text() == before


def test_frozen_numbers_of_another_experiment_are_not_held_against_this_one(tmp_path: Path) -> None:
    made = _made(tmp_path)
    made.experiment("other", {"original": ARMS["original"]}, (0,))
    collect(made.home)
    path = freeze_numbers(made.home, "other", tmp_path / "other.json")
    with pytest.raises(QueryError, match="the numbers of 'other', not of 'paper'"):
        list_changes(made.home, "paper", path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    made = _made(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(QueryError, match="cannot write the frozen numbers"):
        freeze_numbers(made.home, "paper", tmp_path / "file" / "frozen.json")
