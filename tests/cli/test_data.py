"""Commands about images: each hands its words on and prints what it gets; progress is for a person who looks on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli import app, data

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


def test_report_prints_a_line_for_each_fact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inspect.surveys.survey_path", lambda path, progress: path)
    monkeypatch.setattr("engine.inspect.surveys.survey_lines", lambda found: [f"of {found.name}", "2 classes"])
    answer = CliRunner().invoke(app, ["data", "report", str(tmp_path / "set")], catch_exceptions=False)
    assert (answer.exit_code, answer.stdout) == (0, "of set\n2 classes\n")


def test_preview_names_the_sheet_it_drew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(home: Any, spec: Any, out: Path, progress: Any) -> Path:
        return tmp_path / f"{home.root.name}-{spec.name}-{spec.train.epochs}-{out.name}"

    monkeypatch.setattr("engine.inspect.images.write_preview", draw)
    words = [
        "data",
        "preview",
        str(QUICKSTART),
        "-o",
        "x.png",
        "--set",
        "train.epochs=7",
        "--home",
        str(tmp_path / "h"),
    ]
    answer = CliRunner().invoke(app, words, catch_exceptions=False)
    assert answer.stdout == f"{tmp_path}/h-quickstart-7-x.png\n"


@pytest.mark.parametrize(("looks", "shown"), [(True, "\r50/60 images\r60/60 images\n"), (False, "")])
def test_progress_is_one_line_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], looks: bool, shown: str
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: looks)
    for done in (49, 50, 51, 60):
        data._show_progress(done, 60)
    assert capsys.readouterr().err == shown
