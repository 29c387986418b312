"""`xp.report`: one state of the results as HTML, Markdown and files."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from engine import api
from engine.errors import QueryError
from engine.home.paths import Home


def test_a_report_is_shown_saved_and_cleared_away(results: Home, tmp_path: Path) -> None:
    made = api.report("paper", results)
    kept = made.folder
    assert made.markdown.startswith("# ")
    assert "<!doctype html>" in made.html.lower()
    frame = made._repr_html_()
    assert frame.startswith("<iframe")
    assert frame.count('"') == 2, "the page is one attribute"
    saved = made.save(tmp_path / "new" / "report")
    assert (saved / "report.html").read_text() == made.html
    assert (saved / "report.md").read_text() == made.markdown
    assert list(saved.glob("*.svg"))
    del made
    gc.collect()
    assert not kept.exists()


def test_an_unknown_experiment_leaves_nothing_behind(
    results: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(QueryError, match="papre"):
        api.report("papre", results)
    assert list(tmp_path.iterdir()) == []
