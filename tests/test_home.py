"""Paths under the home folder, and the ways to write there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home import Home, open_home, publish_folder, read_json, write_atomic, write_json, write_together


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def test_home_comes_from_argument_then_variable_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XP_HOME", raising=False)
    assert open_home(create=True).root == tmp_path / ".xp"
    monkeypatch.setenv("XP_HOME", str(tmp_path / "var"))
    assert open_home(create=True).root == tmp_path / "var"
    assert open_home(tmp_path / "arg", create=True).root == tmp_path / "arg"


def test_shared_cache_never_holds_a_homes_own_ingest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_CACHE", str(tmp_path / "shared"))
    home = open_home(tmp_path / "home", create=True)
    assert home.cache == tmp_path / "shared"
    assert home.ingest_db.is_relative_to(home.root)


def test_absent_home_is_refused_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="fix: submit a spec first"):
        open_home(tmp_path / "nowhere")


def test_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot make the home folder"):
        open_home(tmp_path / "file" / "home", create=True)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(TypeError):
        write_atomic(path, 3)  # type: ignore[arg-type]  # what a bug would pass
    assert read_json(path) == {"a": 1}
    assert [name.name for name in tmp_path.iterdir()] == ["a.json"]


def test_json_reads_back_as_it_was_and_has_a_line_for_each_entry_of_its_outer_levels(tmp_path: Path) -> None:
    value = {"runs": [{"b": 1, "a": {"c": [1.5, None, True]}}, {}], "jobs": {"x": {"y": []}}, "name": 'ü"\n', "no": []}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text().splitlines() == [
        "{",
        ' "jobs": {',
        '  "x": {"y": []}',
        " },",
        ' "name": "\\u00fc\\"\\n",',
        ' "no": [],',
        ' "runs": [',
        '  {"a": {"c": [1.5, null, true]}, "b": 1},',
        "  {}",
        " ]",
        "}",
    ]


def test_files_written_together_are_all_synced_with_their_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new name is synced after it is there, and the file before it has that name."""
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        synced.append((path.name, path.is_dir() and (path / "spec.json").exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    files = {tmp_path / f"job-{number}" / "spec.json": f"{number}\n" for number in range(20)}
    for path in files:
        path.parent.mkdir()
    write_together(files)
    assert {path: path.read_text() for path in files} == files
    assert len([name for name, _ in synced if name.startswith(".spec.json.")]) == 20
    assert sorted(name for name, has_file in synced if has_file) == sorted(path.parent.name for path in files)
    assert all(len(list(path.parent.iterdir())) == 1 for path in files)


def test_files_that_cannot_all_be_written_leave_nothing_half_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_together({tmp_path / "a": "1", tmp_path / "absent" / "b": "2"})
    assert list(tmp_path.iterdir()) == []


def test_damaged_json_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(HomeError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_first_commit_wins_and_stays(home: Home) -> None:
    job = home.job("train-000000000000")
    for number in (1, 2):
        job.attempt(number).root.mkdir(parents=True)
        write_json(job.attempt(number).result, {"attempt": number})
    assert job.winner() is None
    assert job.commit(job.attempt(2))
    assert not job.commit(job.attempt(1))
    winner = job.winner()
    assert winner is not None
    assert winner.number == 2
    assert [attempt.number for attempt in job.attempts()] == [1, 2]


def test_valid_folder_is_not_built_again_and_invalid_one_is(tmp_path: Path) -> None:
    final = tmp_path / "pack" / "a"
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "data").write_text("whole")

    def is_valid(folder: Path) -> bool:
        return (folder / "data").read_text() == "whole"

    assert publish_folder(final, build, is_valid)
    assert not publish_folder(final, build, is_valid)
    (final / "data").write_text("damaged")
    assert publish_folder(final, build, is_valid)
    assert len(built) == 2
    assert is_valid(final)


def test_killed_builder_leaves_nothing_that_counts(tmp_path: Path) -> None:
    final = tmp_path / "a"
    leftover = tmp_path / "a.0123abcd.tmp"
    leftover.mkdir()
    (leftover / "data").write_text("half")
    publish_folder(final, lambda folder: write_atomic(folder / "data", "whole"), lambda _: True)
    assert not leftover.exists()
    assert (final / "data").read_text() == "whole"


def test_records_are_ordered_by_number(home: Home) -> None:
    folder = home.experiment("a")
    folder.mkdir()
    for number in (10, 9, 1):
        (folder / f"{number}.json").write_text(json.dumps(number))
    assert [path.stem for path in home.records("a")] == ["1", "9", "10"]
