"""A report is made in a thread, and then served with the policy that it brings."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine import report as report_room
from engine.home.paths import Home
from engine.serve.pages.report import NOTHING, policy_of
from tests.serve.conftest import Browse
from tests.serve.waiting import await_part

HTML = '<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; script-src &#39;sha256-x&#39;">'


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that takes no time: what is drawn in one is the report's own to test."""

    def make(snapshot: object, name: str, forms: Sequence[str], folder: Path) -> list[Path]:
        for form in forms:
            (folder / f"report.{form}").write_text(HTML if form == "html" else f"{form} of {name}")
        return [folder / f"report.{form}" for form in forms]

    monkeypatch.setattr(report_room, "make_report", make)


def test_a_report_is_served_with_its_own_policy(browse: Browse, done_home: Home) -> None:
    client = browse(done_home)
    await_part(client, "/report/study", "script-src")
    found = client.get("/report/study")
    assert found.headers["content-security-policy"] == "default-src 'none'; script-src 'sha256-x'"
    assert found.headers["content-type"].startswith("text/html")


def test_one_that_waited_is_sent_to_the_report(browse: Browse, done_home: Home) -> None:
    client = browse(done_home)
    await_part(client, "/report/study", "script-src")
    assert client.get("/report/study?part=waiting").headers["HX-Refresh"] == "true"


def test_forms_come_as_files(browse: Browse, done_home: Home) -> None:
    client = browse(done_home)
    await_part(client, "/report/study?form=md", "md of study")
    assert 'filename="study.md"' in client.get("/report/study?form=md").headers["content-disposition"]
    while (found := client.get("/report/study?form=zip")).headers["content-type"] != "application/zip":
        pass
    with zipfile.ZipFile(io.BytesIO(found.content)) as held:
        assert held.namelist() == ["study/report.html", "study/report.md", "study/report.tex"]


def test_an_unknown_form_names_those_there_are(browse: Browse, done_home: Home) -> None:
    found = browse(done_home).get("/report/study?form=docx")
    assert found.status_code == 404
    assert "html, md, tex, zip" in found.text


def test_numbers_to_freeze_are_those_of_the_command(browse: Browse, done_home: Home) -> None:
    found = browse(done_home).get("/frozen/study")
    assert 'filename="study.frozen.json"' in found.headers["content-disposition"]
    assert json.loads(found.content)["experiment"] == "study"


def test_a_page_without_a_policy_runs_nothing() -> None:
    assert policy_of(b"<html></html>") == NOTHING
