"""Which home is meant: this folder's, else the nearest above, up to the person's own folder; never a stranger's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.home.finding import home_above, usual_root
from engine.home.paths import open_home


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a home, in the folder of a person; we are in a folder of it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "project"
    (folder / "specs" / "deep").mkdir(parents=True)
    open_home(folder / ".xp", create=True)
    monkeypatch.chdir(folder / "specs" / "deep")
    return folder


def test_the_nearest_above_is_taken(project: Path) -> None:
    assert open_home().root == project / ".xp"
    open_home(project / "specs" / ".xp", create=True)
    assert open_home().root == project / "specs" / ".xp"
    assert open_home(create=True).root == project / "specs" / ".xp"


def test_this_folders_own_comes_first(project: Path) -> None:
    own = open_home(".xp", create=True)
    assert home_above() is None
    assert open_home().root == own.root == project / "specs" / "deep" / ".xp"


def test_what_is_named_comes_before_all(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XP_HOME", str(tmp_path / "named"))
    assert usual_root() == tmp_path / "named"
    assert home_above() is None
    assert open_home(tmp_path / "told", create=True).root == tmp_path / "told"


def test_nothing_is_looked_for_above_the_persons_own_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project / "specs"))
    assert home_above() is None
    assert usual_root() == Path(".xp")
    monkeypatch.setenv("HOME", str(project))
    assert home_above() == project / ".xp", "their own folder is the last that is looked at"


def test_another_file_system_is_not_entered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.home.finding._device", lambda folder: len(folder.parts) < len(project.parts) + 1)
    assert home_above() is None


@pytest.mark.parametrize("kind", ["file", "empty", "link"])
def test_what_only_has_its_name_is_no_home(project: Path, kind: str) -> None:
    other = project / "specs" / ".xp"
    if kind == "file":
        other.write_text("")
    elif kind == "empty":
        other.mkdir()
    else:
        other.symlink_to(other)
    assert home_above() == project / ".xp"


def test_a_strangers_home_in_a_folder_of_everybody_is_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.chmod(0o1777)
    assert home_above() == project / ".xp"
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert home_above() is None
    project.chmod(0o755)
    assert home_above() == project / ".xp", "in a folder that only its owner writes it is theirs to share"
