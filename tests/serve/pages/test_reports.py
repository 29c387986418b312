"""Reports to open, papers beside them, and frozen numbers with what moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.analysis.freeze import freeze_numbers
from engine.home.paths import Home
from tests.serve.conftest import Browse


def test_each_experiment_has_its_report(browse: Browse, done_home: Home) -> None:
    text = browse(done_home).get("/reports").text
    assert 'href="./report/study"' in text
    assert 'href="./frozen/other"' in text


def test_nothing_published_is_told(browse: Browse, empty_home: Home) -> None:
    assert "No results are published yet" in browse(empty_home).get("/reports").text


def test_frozen_numbers_that_moved_are_named(
    browse: Browse, done_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = freeze_numbers(done_home, "study")
    client = browse(done_home)
    assert "is as it was frozen" in client.get("/reports?part=frozen").text
    path.write_text(path.read_text().replace('"n": 3', '"n": 2', 1))
    assert "have moved" in client.get("/reports?part=frozen").text


def test_a_file_that_is_no_frozen_table_is_told(
    browse: Browse, done_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.frozen.json").write_text("[]")
    (tmp_path / "gone.frozen.json").write_text('{"version": 1, "experiment": "gone", "cells": []}')
    text = browse(done_home).get("/reports?part=frozen").text
    assert "this is no file of frozen numbers" in text
    assert "there is no experiment" in text


def test_papers_are_those_beside_the_server(
    browse: Browse, done_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper_mine.yaml").write_text("paper: nonsense\n")
    client = browse(done_home)
    assert 'href="./paper/paper_mine"' in client.get("/reports").text
    assert client.get("/paper/..%2Fsecret").status_code == 404
    assert client.get("/paper/other").status_code == 404
