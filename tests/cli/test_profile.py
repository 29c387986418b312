"""`xp profile` tells mistakes with their fix before anything is timed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.home.paths import Home, open_home
from engine.verify.profile import profile as module

TINY = Path(__file__).parents[1] / "resources" / "tiny.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def ask(home: Home, *words: str) -> Result:
    return CliRunner().invoke(app, ["profile", *words, "--home", str(home.root)])


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["nowhere.yaml"], 2, "nowhere.yaml"),
        (["nobody"], 2, "nothing here is called 'nobody'"),
        (["tiny/original"], 2, "this home has no experiment 'tiny'"),
        ([str(TINY), "--arm", "distiled"], 2, "did you mean 'distilled'"),
        ([str(TINY), "-o", "picture.gif"], 2, "is no picture"),
        ([str(TINY), "-o", "no/such/folder.svg"], 2, "no such folder"),
        ([str(TINY), "--set", "train.batch=3"], 2, "train.batch"),
        (["tiny", "--set", "train.lr=1"], 2, "a run is as it was submitted"),
        ([str(TINY), "--arm", "original", "--set", "resources.gpus=1"], 2, "xp profile --cpu"),
        ([str(TINY), "--set", "data.source=folder", "--set", "data.root=/away"], 2, "/away"),
    ],
)
def test_mistakes_are_told_with_a_fix_before_anything_is_timed(
    home: Home, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, what: str
) -> None:
    monkeypatch.setattr(module, "list_gpus", list)
    monkeypatch.setattr(module, "_time_in_child", lambda *order: pytest.fail("it was timed"))
    answer = ask(home, *words)
    told = answer.output + str(answer.exception or "")
    assert what in told
    assert "fix: " in told
    assert getattr(answer.exception, "exit_code", None) == code
