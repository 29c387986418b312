"""Reports of several experiments: a chapter for each, in one file of each form, with files and labels of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.collect import collect
from engine.report import make_report
from tests.helpers.synthetic import ARMS, SyntheticHome


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two experiments whose arms have the same names."""
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    for name in ("first", "second"):
        made.experiment(name, ARMS, seeds=(0, 1))
    collect(made.home)
    folder = tmp_path_factory.mktemp("report")
    written = make_report(made.home, ["second", "first", "second"], ("md", "html", "tex"), folder)
    return {path.suffix[1:]: path for path in written}


def test_each_experiment_is_a_chapter_once_and_in_the_order_asked_for(pages: dict[str, Path]) -> None:
    text = pages["md"].read_text()
    assert re.findall(r"^## The (\w+) experiment$", text, re.MULTILINE) == ["second", "first"]
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert text.count("### Results") == 2
    html = pages["html"].read_text()
    assert re.findall(r"<h2>The (\w+) experiment</h2>", html) == ["second", "first"]
    assert html.count("<h1>") == 1


def test_files_ids_and_labels_of_chapters_are_apart(pages: dict[str, Path]) -> None:
    files = re.findall(r"!\[[^]]*\]\(([^)]+)\)", pages["md"].read_text())
    assert len(files) == len(set(files)) > 10
    assert all((pages["md"].parent / file).is_file() for file in files)
    ids = re.findall(r' id="([^"]+)"', pages["html"].read_text())
    assert len(ids) == len(set(ids)) > 10
    texts = [path.read_text() for path in pages["tex"].parent.rglob("*.tex")]
    labels = [label for text in texts for label in re.findall(r"\\label\{([^}]+)\}", text)]
    assert len(labels) == len(set(labels)) > 10
