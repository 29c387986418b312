"""What can be no home is refused before anything is written, by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home.paths import open_home


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="folders of Linux")
@pytest.mark.parametrize("folder", ["/", "/proc/self", "/sys", "/proc/1/task/.."])
def test_a_folder_of_the_system_is_no_home(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for create in (True, False):
        with pytest.raises(HomeError, match="folder is the system's"):
            open_home(folder, create=create)
    monkeypatch.setenv("XP_CACHE", folder)
    with pytest.raises(HomeError, match="folder is the system's"):
        open_home(tmp_path / "home", create=True)
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_persons_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XP_CACHE", "~/cache")
    home = open_home("~/home", create=True)
    assert (home.root, home.cache) == (tmp_path / "home", tmp_path / "cache")
    monkeypatch.setenv("XP_HOME", "~/other")
    assert open_home(create=True).root == tmp_path / "other"


def test_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot make the home folder"):
        open_home(tmp_path / "file" / "home", create=True)


def test_another_thing_in_the_place_of_a_file_or_folder_is_told(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    home.queue_db.mkdir()
    with pytest.raises(HomeError, match="is no file, as it has to be"):
        open_home(home.root)
    home.queue_db.rmdir()
    home.jobs_root.rmdir()
    home.jobs_root.write_text("")
    with pytest.raises(HomeError, match="is no folder, as it has to be"):
        open_home(home.root)
    home.jobs_root.unlink()
    os.symlink(home.jobs_root, home.jobs_root)
    with pytest.raises(HomeError, match="is a link to itself"):
        open_home(home.root)


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(HomeError, match="this is no folder, which a home is"):
        open_home(tmp_path / "home", create=True)
