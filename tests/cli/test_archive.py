"""`xp archive` at a terminal: what it takes, what it ends with."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine import archive as room
from engine.archive.checking import Verified
from engine.archive.making import Made
from engine.cli import app
from engine.errors import XpError
from engine.home.paths import open_home


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, ["archive", *words])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XP_HOME", str(tmp_path / "home"))
    return open_home(create=True).root


def test_it_says_what_it_wrote_and_what_vouches_for_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(Path("x.zip"), 12, 3456, 2, ("jobs/a: is gone",), "ab" * 32)
    monkeypatch.setattr(room, "make_archive", lambda *_, **__: made)
    told = ask("paper", "-o", "x.zip")
    assert (told.exit_code, told.stdout) == (0, "x.zip: 12 members, 3,456 bytes\n")
    assert "without 2 files of trained networks" in told.stderr
    assert "damaged in this home, and told so in the report: jobs/a: is gone" in told.stderr
    assert "ab" * 32 in told.stderr


@pytest.mark.parametrize(
    ("found", "code", "says"),
    [(Verified((), "cd"), 0, "x.zip holds; sha256 of its archive.json: cd"),
     (Verified(("report.md: changed",)), 1, "report.md: changed"),
     (Verified((), "cd", is_short=True), 3, "x.zip holds")],
)  # fmt: skip
def test_verify_ends_with_what_was_found(
    found: Verified, code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "verify_archive", lambda *_: found)
    told = ask("verify", "x.zip", "--rerun", "1")
    assert (told.exit_code, says in told.stdout) == (code, True)


def test_an_experiment_may_be_called_verify(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def make(*words: object, **_: object) -> Made:
        asked.append(words[1])
        return Made(Path("x"), 1, 1, 0, (), "")

    monkeypatch.setattr(room, "make_archive", make)
    assert ask("verify", "-o", "x.zip").exit_code == 0
    assert asked == [["verify"]]


@pytest.mark.parametrize(
    "words",
    [["paper"], ["verify"], ["verify", "a.zip", "b.zip"], ["verify", "a.zip", "--weights"],
     ["paper", "-o", "x.zip", "--rerun", "1"], ["paper", "-o", "x.zip", "--set", "a=1"]],
)  # fmt: skip
def test_words_that_mean_nothing_are_refused(words: list[str], home: Path) -> None:
    told = ask(*words)
    assert isinstance(told.exception, XpError)
    assert told.exception.exit_code == 2
    assert "xp archive verify FILE checks it" in told.exception.fix
