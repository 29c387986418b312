"""What an attempt left: what is listed is given, nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import AttemptFolder
from engine.serve.artifacts import MOST_TEXT, find_artifact, list_artifacts


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptFolder:
    made = AttemptFolder(tmp_path / "1")
    (made.artifacts / "deep er").mkdir(parents=True)
    (made.root / "result.json").write_text("{}")
    (made.artifacts / "a.png").write_bytes(b"png")
    (made.artifacts / "deep er" / "b#?%.SVG").write_text("<svg/>")
    (made.artifacts / "c.json").write_text('{"a": "<b>"}')
    (made.artifacts / "d.bin").write_bytes(b"12345")
    (made.artifacts / "link").symlink_to("/etc/passwd")
    (made.artifacts / "up").symlink_to("..")
    return made


def test_files_are_listed_and_links_are_not(attempt: AttemptFolder) -> None:
    found = list_artifacts(attempt)
    assert [one.name for one in found] == ["a.png", "c.json", "d.bin", "deep er/b#?%.SVG"]
    assert [one.is_picture for one in found] == [True, False, False, True]
    assert (found[2].size, found[2].kind, found[3].kind) == (5, "application/octet-stream", "image/svg+xml")


@pytest.mark.parametrize(
    "name",
    [
        "../result.json",
        "link",
        "up/result.json",
        "/etc/passwd",
        "./a.png",
        "deep er",
        "",
        "a.png\0",
        "deep er/../a.png",
    ],
)
def test_no_other_name_leads_anywhere(attempt: AttemptFolder, name: str) -> None:
    assert find_artifact(attempt, name) is None


def test_json_is_text_where_it_is_short(attempt: AttemptFolder) -> None:
    found = find_artifact(attempt, "c.json")
    assert found is not None and found.text == '{\n "a": "<b>"\n}'
    (attempt.artifacts / "c.json").write_text("{" * 2000)
    broken = find_artifact(attempt, "c.json")
    assert broken is not None and broken.text == ""
    (attempt.artifacts / "c.json").write_text(f'"{"x" * MOST_TEXT}"')
    large = find_artifact(attempt, "c.json")
    assert large is not None and large.text == ""


def test_without_artifacts_there_are_none(tmp_path: Path) -> None:
    assert list_artifacts(AttemptFolder(tmp_path / "7")) == []
