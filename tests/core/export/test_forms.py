"""Every format that a spec's word names can be written and read, or says what it lacks; wrong files are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.export.forms import GRAPHS, open_form, write_form
from engine.errors import DataError
from engine.spec.forms import FORMS
from tests.core.export.conftest import make_network


def test_every_word_has_a_form_or_cannot_be_had_here() -> None:
    assert {*GRAPHS, "safetensors"} == {*FORMS} - {"litert"}


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no exported network by its name"):
        open_form(tmp_path / "network.pth")
    with pytest.raises(DataError, match="there is no such file"):
        open_form(tmp_path / "network.pt2")


def test_a_format_that_cannot_be_written_is_refused_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "network.tflite"
    with pytest.raises(DataError, match="'tflite' is no format"):
        write_form("tflite", make_network(), 32, path, {})
    with pytest.raises(DataError, match="litert needs litert_torch"):
        write_form("litert", make_network(), 32, path, {})
    monkeypatch.setattr("engine.core.export.forms.form_words", lambda word: FORMS[word])  # as if it were installed
    with pytest.raises(DataError, match="no files of litert"):
        write_form("litert", make_network(), 32, path, {})
    assert list(tmp_path.iterdir()) == []
