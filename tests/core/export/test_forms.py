"""Every format that a spec's word names can be written and read, or says what it lacks; wrong files are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.export.forms import GRAPHS, open_form
from engine.errors import DataError
from engine.spec.forms import FORMS


def test_every_word_has_a_form_or_cannot_be_had_here() -> None:
    assert {*GRAPHS, "safetensors"} == {*FORMS} - {"litert"}


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no exported network by its name"):
        open_form(tmp_path / "network.pth")
    with pytest.raises(DataError, match="there is no such file"):
        open_form(tmp_path / "network.pt2")
