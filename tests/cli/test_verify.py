"""`xp verify-resume`: what is handed on, how it is told, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, is_identical: bool, *words: str) -> tuple[Result, list[Any]]:
    asked: list[Any] = []

    def verify(spec: Any, _home: Any, say: Any, **bounds: int) -> Any:
        asked.append((spec.name, bounds))
        say("one training")
        return SimpleNamespace(is_identical=is_identical, as_json=lambda: {"is_identical": is_identical})

    monkeypatch.setattr("engine.verify.resume.verify_resume", verify)
    monkeypatch.setattr("engine.verify.certificate.describe", lambda found: [f"identical: {found.is_identical}"])
    line = ["verify-resume", str(QUICKSTART), *words, "--home", str(folder / "home")]
    return CliRunner().invoke(app, line, catch_exceptions=False), asked


@pytest.mark.parametrize(("is_identical", "code"), [(True, 0), (False, 1)])
def test_exit_code_says_whether_bits_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_identical: bool, code: int
) -> None:
    answer, asked = run(tmp_path, monkeypatch, is_identical)
    assert (answer.exit_code, answer.stdout) == (code, f"identical: {is_identical}\n")
    assert (answer.stderr, asked) == ("one training\n", [("quickstart", {"kills": 3, "epochs": 2})])


def test_json_is_alone_on_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = run(tmp_path, monkeypatch, True, "--json", "--kills", "5", "--epochs", "1")
    assert json.loads(answer.stdout) == {"is_identical": True}
    assert asked == [("quickstart", {"kills": 5, "epochs": 1})]
