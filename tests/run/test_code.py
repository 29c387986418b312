"""The code that runs is known by its commit, its changes and a digest of what decides figures."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from engine.run.code import MOST_TEXT, Code, read_code


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout, all committed: core and run decide figures, and what they import."""
    for name, text in {"core/one.py": "import engine.shapes", "run/one.py": "x = 1", "shapes.py": "x = 1"}.items():
        path = tmp_path / "engine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (tmp_path / "engine" / "report.py").write_text("y = 1\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
    return tmp_path


def _git(place: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(place), *words], check=True, capture_output=True)


def _read(place: Path) -> Code:
    read_code.cache_clear()
    return read_code(place)


def test_clean_checkout_has_no_changes(checkout: Path) -> None:
    found = _read(checkout)
    assert (found.changes, found.changes_digest, found.is_dirty) == ("", None, False)
    assert found.commit is not None
    assert len(found.commit) == 40


def test_changed_and_new_files_are_in_the_text_and_the_digest(checkout: Path) -> None:
    before = _read(checkout)
    (checkout / "engine" / "run" / "one.py").write_text("x = 2\n")
    (checkout / "engine" / "core" / "new.py").write_text("z = 3\n")
    after = _read(checkout)
    assert after.is_dirty
    assert "+x = 2" in (after.changes or "")
    assert "new file engine/core/new.py\n+z = 3" in (after.changes or "")
    assert after.digest != before.digest
    (checkout / "engine" / "core" / "new.py").write_text("z = 4\n")
    assert _read(checkout).changes_digest != after.changes_digest


def test_change_of_a_report_decides_no_figure(checkout: Path) -> None:
    before = _read(checkout)
    (checkout / "engine" / "report.py").write_text("y = 2\n")
    after = _read(checkout)
    assert after.is_dirty
    assert after.digest == before.digest


def test_long_changes_are_cut_and_told_apart_all_the_same(checkout: Path) -> None:
    found = []
    for end in ("a", "b"):
        (checkout / "engine" / "core" / "one.py").write_text("#" * (MOST_TEXT + 5000) + end)
        found.append(_read(checkout))
    assert all(len(one.changes or "") < MOST_TEXT + 100 for one in found)
    assert "were not kept" in (found[0].changes or "")
    assert found[0].changes_digest != found[1].changes_digest


def test_outside_a_checkout_the_digest_alone_is_known(checkout: Path, tmp_path: Path) -> None:
    inside = _read(checkout)
    (checkout / ".git").rename(tmp_path / "gone")
    found = _read(checkout)
    assert (found.commit, found.changes, found.is_dirty) == (None, None, None)
    assert found.digest == inside.digest


def test_a_file_counts_with_its_name_and_place(checkout: Path) -> None:
    """Two files that swap their contents, or one that moves, are other code."""
    before = _read(checkout)
    (checkout / "engine" / "run" / "one.py").rename(checkout / "engine" / "run" / "two.py")
    moved = _read(checkout)
    assert moved.digest != before.digest
    (checkout / "engine" / "run" / "two.py").rename(checkout / "engine" / "run" / "one.py")
    (checkout / "engine" / "run" / "notes.txt").write_text("no code")
    assert _read(checkout).digest == before.digest
    (checkout / "engine" / "shapes.py").write_text("x = 9\n")
    assert _read(checkout).digest != before.digest


def test_only_our_own_rooms_make_the_code_dirty(checkout: Path) -> None:
    (checkout / "notes.py").write_text("x = 1\n")
    assert _read(checkout).changes == ""
    (checkout / "store").mkdir()
    (checkout / "store" / "new.py").write_text("x = 1\n")
    assert _read(checkout).changes == "new file store/new.py\n+x = 1\n"


def test_code_is_as_it_was_when_first_asked(checkout: Path) -> None:
    """A file that is edited while jobs run must not change what they say of themselves."""
    before = _read(checkout)
    (checkout / "engine" / "run" / "one.py").write_text("x = 2\n")
    assert read_code(checkout) == before


def test_changes_are_kept_up_to_a_length_and_digested_whole(checkout: Path) -> None:
    (checkout / "engine" / "run" / "new.py").write_text("y" * MOST_TEXT)
    found = _read(checkout)
    head = "new file engine/run/new.py\n+"
    whole = head + "y" * MOST_TEXT + "\n"
    assert found.changes == f"{whole[:MOST_TEXT]}\n... {len(head) + 1} more characters were not kept\n"
    assert found.changes_digest == hashlib.sha256(whole.encode()).hexdigest()


def test_where_git_refuses_nothing_is_known_of_the_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("git", 10)

    monkeypatch.setattr(subprocess, "run", refuse)
    assert _read(checkout).commit is None
