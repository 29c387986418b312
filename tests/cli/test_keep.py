"""The commands of housekeeping: what they ask, print and end with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.cli.keep import read_seconds
from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.home.pins import write_pin
from tests.helpers.keeping import make_two

REMOVAL = ("removal", "bytes", "purged", "entries", "notes")


@pytest.fixture
def home(tmp_path: Path, started: list[Home]) -> Home:
    found = open_home(tmp_path / "home", create=True)
    make_two(found)
    return found


def ask(home: Home, *words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home.root)], input=typed)


def test_gc_says_what_would_go_and_takes_it(home: Home) -> None:
    told = ask(home, "gc", "--dry-run")
    assert "checkpoints: 5" in told.stdout
    assert "would go" in told.stdout
    assert home.job("train-old").root.exists()
    told = ask(home, "gc", "--json")
    about = json.loads(told.stdout)
    assert sorted(about) == sorted(REMOVAL)
    assert len(about["entries"]) == 8
    assert not home.job("train-old").root.exists()
    assert "nothing is there that nothing needs" in ask(home, "gc").stdout


def test_gc_can_empty_the_trash(home: Home) -> None:
    told = ask(home, "gc", "--empty-trash")
    assert "deleted" in told.stdout
    assert "xp undo" not in told.stderr
    assert "the trash is empty" in ask(home, "undo", "--list").stderr


def test_undo_brings_back_and_says_how_to_go_on(home: Home) -> None:
    ask(home, "rm", "one", "--yes")
    listed = ask(home, "undo", "--list").stdout
    assert "xp rm one" in listed
    number = json.loads(ask(home, "undo", "--list", "--json").stdout)[0]["id"]
    told = ask(home, "undo", number, "--json")
    assert (told.exit_code, json.loads(told.stdout)["left"]) == (0, [])
    assert "xp retry one" in told.stderr
    assert home.records("one")


def test_undo_ends_with_1_where_something_stays(home: Home) -> None:
    ask(home, "gc")
    home.job("train-old").root.mkdir()
    told = ask(home, "undo")
    assert told.exit_code == 1
    assert "stays in the trash" in told.stderr


def test_rm_asks_and_takes_no_for_an_answer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ask(home, "rm", "one")
    assert isinstance(told.exception, XpError)
    assert "nobody is there to be asked" in str(told.exception)
    monkeypatch.setattr("engine.cli.keep._is_asked", lambda: True)
    told = ask(home, "rm", "one", typed="n\n")
    assert told.exit_code == 1
    assert home.records("one")
    assert ask(home, "rm", "one", typed="y\n").exit_code == 0
    assert not home.records("one")


def test_rm_says_what_stays_and_what_rests_on_it(home: Home) -> None:
    write_pin(home, "one", "archive", Path("/x/one.zip"), ["run-one-a-0"])
    told = ask(home, "rm", "one", "--dry-run")
    assert "3 jobs that only it needs go" in told.stdout
    assert "1 of its jobs stay" in told.stdout
    assert "archive in /x/one.zip rests on it" in told.stderr
    told = ask(home, "rm", "one", "--yes")
    assert "remove it all the same with --pinned" in str(told.exception)
    about = json.loads(ask(home, "rm", "one", "--dry-run", "--json").stdout)
    assert (about["target"], about["stay"], about["removal"]) == ("one", ["pack-p"], None)
    assert ask(home, "rm", "one", "--pinned", "--yes").exit_code == 0


def test_du_adds_up(home: Home) -> None:
    about = json.loads(ask(home, "du", "--json").stdout)
    assert about["bytes"] == sum(row["bytes"] for row in about["rows"])
    lines = ask(home, "du").stdout.splitlines()
    assert lines[0].split()[:3] == ["packs", "targets", "checkpoints"]
    assert lines[-1].startswith("together")
    assert len({len(line) for line in lines[1:-1]}) == 1


@pytest.mark.parametrize(("text", "seconds"), [("12h", 43200), ("30d", 2_592_000), ("8w", 4_838_400), ("0s", 0)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize("text", ["30", "d", "-1d", "1.5h", "30 d", "٣d", "9999999d"])
def test_what_is_no_time_is_told(home: Home, text: str) -> None:
    told = ask(home, "gc", f"--older={text}")
    assert "is no time" in str(told.exception)
