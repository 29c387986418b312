"""What was made of an experiment elsewhere leaves a mark that tells of which runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home.paths import Home
from engine.home.pins import read_pins, write_pin


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path, tmp_path / "cache")
    found.experiment("one").mkdir(parents=True)
    return found


def test_a_pin_tells_file_and_runs(home: Home) -> None:
    write_pin(home, "one", "frozen numbers", Path("/x/one.frozen.json"), ["run-2", "run-1", "run-2"])
    (pin,) = read_pins(home, "one")
    assert str(pin) == "frozen numbers in /x/one.frozen.json"
    assert pin.about.runs == ("run-1", "run-2")


def test_the_same_file_again_is_one_pin(home: Home) -> None:
    for runs in (["run-1"], ["run-2"]):
        write_pin(home, "one", "archive", Path("/x/one.zip"), runs)
    write_pin(home, "one", "archive", Path("/x/other.zip"), ["run-3"])
    assert sorted(pin.about.runs for pin in read_pins(home, "one")) == [("run-2",), ("run-3",)]


def test_a_home_that_cannot_be_written_is_no_hindrance(tmp_path: Path) -> None:
    home = Home(tmp_path / "none", tmp_path / "cache")
    write_pin(home, "one", "archive", Path("/x/one.zip"), ["run-1"])
    assert read_pins(home, "one") == []


@pytest.mark.parametrize("text", ["", "{}", '{"kind": "archive", "path": "x", "at": 1, "runs": ["../x"]}'])
def test_a_damaged_pin_is_told(home: Home, text: str) -> None:
    home.pins("one").mkdir()
    (home.pins("one") / "0123.json").write_text(text)
    with pytest.raises(HomeError, match="this mark of frozen numbers or an archive is damaged"):
        read_pins(home, "one")


def test_pins_are_no_submissions(home: Home) -> None:
    write_pin(home, "one", "archive", Path("/x/one.zip"), ["run-1"])
    assert home.records("one") == []
