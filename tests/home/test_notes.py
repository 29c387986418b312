"""Tags and a note lie in a file of their own, whole or not there, and never lose one another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import HomeError, XpError
from engine.home.notes import LONGEST, Notes, change_tags, read_notes, write_note
from engine.home.paths import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path, tmp_path / "cache")
    found.experiment("one").mkdir(parents=True)
    return found


def test_tags_are_added_and_taken_away(home: Home) -> None:
    assert read_notes(home, "one") == Notes()
    assert change_tags(home, "one", ["paper", "draft-2"]).tags == ("draft-2", "paper")
    assert change_tags(home, "one", ["paper"], ["draft-2"]).tags == ("paper",)
    with pytest.raises(XpError, match=r"(?s)one has no tag 'draft-2'.*its tags: paper"):
        change_tags(home, "one", remove=["draft-2"])


@pytest.mark.parametrize("tag", ["", "Paper", "a b", "-x", "x" * 65, "\x1b"])
def test_a_word_that_is_no_tag_is_refused(home: Home, tag: str) -> None:
    with pytest.raises(XpError, match="is no tag"):
        change_tags(home, "one", [tag])
    assert not home.notes("one").exists()


def test_a_note_is_replaced_and_tags_stay(home: Home) -> None:
    change_tags(home, "one", ["paper"])
    write_note(home, "one", "first\nsecond")
    assert read_notes(home, "one") == Notes(tags=("paper",), note="first\nsecond")
    assert write_note(home, "one", "").note == ""
    with pytest.raises(XpError, match="has 10,001 letters"):
        write_note(home, "one", "x" * (LONGEST + 1))


def test_bytes_that_are_no_text_are_shown_as_such(home: Home) -> None:
    assert write_note(home, "one", "a\udc80b").note == "a?b"


def test_damaged_notes_are_told(home: Home) -> None:
    home.notes("one").write_text("[")
    with pytest.raises(HomeError, match="the notes are damaged"):
        read_notes(home, "one")


def test_two_that_write_at_once_lose_nothing(home: Home) -> None:
    tags = [f"t{number}" for number in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda tag: change_tags(home, "one", [tag]), tags))
    assert set(read_notes(home, "one").tags) == set(tags)


def test_notes_are_no_submission(home: Home) -> None:
    write_note(home, "one", "x")
    assert home.records("one") == []
