"""Reports become files in memory: one form, or all of them with what lies beside."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine import report as report_room
from engine.errors import QueryError
from engine.home.paths import Home
from engine.serve import making
from engine.serve.making import Made, report_of
from engine.serve.site import Site

LONG = 60.0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The forms that were written, by a report that takes no time."""
    seen: list[tuple[str, ...]] = []

    def make(snapshot: object, name: str, forms: Sequence[str], folder: Path) -> list[Path]:
        seen.append(tuple(forms))
        (folder / "charts").mkdir()
        (folder / "charts" / "one.svg").write_text("<svg>")
        for form in forms:
            (folder / f"report.{form}").write_text(f"{form} of {name}")
        return [folder / f"report.{form}" for form in forms]

    monkeypatch.setattr(report_room, "make_report", make)
    monkeypatch.setattr(making, "PATIENCE", LONG)
    return seen


def test_a_form_is_written_once_for_a_publication(done_home: Home, asked: list[tuple[str, ...]]) -> None:
    site = Site(done_home)
    assert report_of(site, "study", "md") == Made(b"md of study", "text/markdown", "study.md")
    assert report_of(site, "study", "md") is report_of(site, "study", "md")
    assert asked == [("md",)]


def test_all_forms_come_with_their_charts(done_home: Home, asked: list[tuple[str, ...]]) -> None:
    made = report_of(Site(done_home), "study", "zip")
    assert made is not None
    with zipfile.ZipFile(io.BytesIO(made.body)) as held:
        assert {"study/charts/one.svg", "study/report.md", "study/report.tex"} <= set(held.namelist())


def test_nothing_published_is_an_error_and_no_waiting(empty_home: Home, asked: list[tuple[str, ...]]) -> None:
    with pytest.raises(QueryError, match="no results yet"):
        report_of(Site(empty_home), "study", "md")
