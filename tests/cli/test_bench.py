"""`xp bench` from a terminal: mistakes that people make end with 2 and say the fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.errors import XpError
from engine.home.paths import open_home
from tests.helpers.onnx_files import write_small
from tests.helpers.trained import Trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
QUICK = ("--rounds", "3", "--seconds", "0.03")


def refused(*words: str) -> XpError:
    answer = CliRunner().invoke(app, ["bench", *words])
    assert isinstance(answer.exception, XpError), answer.output
    return answer.exception


def invoke(*words: str) -> Any:
    answer = CliRunner().invoke(app, ["bench", *words])
    assert answer.exit_code == 0, answer.exception
    return answer


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("a",), "one network is compared with nothing"),
        (("a", "b", "--batch-size", "0"), "'0' is no list of numbers from 1 to 65,536"),
        (("a", "b", "--batch-size", "x"), "'x' is no list of numbers"),
        (("a", "b", "--threads", "1,,2"), "'1,,2' is no list of numbers"),
        (("a.onnx", "b.onnx"), "there is no such file"),
    ],
)
def test_slips_are_told_with_the_fix(words: tuple[str, ...], what: str) -> None:
    error = refused(*words)
    assert what in error.what
    assert error.fix


def test_runs_that_are_not_there_or_not_done_are_told(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, open_home(tmp_path / "home", create=True))
    trainer.train("arms={one: {}, two: {train.lr: 1.0e-3}}")
    home = ("--home", str(trainer.home.root))
    assert "has no arm 'onne'" in refused("first/onne", "first/one", *home).what
    assert "is not trained yet" in refused("first/one", "first/two", *home).what


def test_two_files_are_compared_and_nothing_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, channels in (("a.onnx", 4), ("b.onnx", 64)):
        write_small(tmp_path / name, channels=channels, image_size=32)
    before = sorted(tmp_path.rglob("*"))
    answer = invoke("a.onnx", "--against", "b.onnx", "--json", *QUICK)
    told = json.loads(answer.stdout)
    assert [one["name"] for one in told["networks"]] == ["b.onnx", "a.onnx"]
    assert told["networks"][1]["ratio"] > 0
    assert "round 3 of 3" in answer.stderr
    assert sorted(tmp_path.rglob("*")) == before
