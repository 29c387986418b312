"""Code that is broken is told by what is wrong with it and its line; good code passes; the process stays as it was."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from engine.core.own_code.sides import State
from engine.spec.own_code import CodeKind
from tests.core.own_code.broken import BROKEN, GOOD, WITH_OPTIONS
from tests.core.own_code.trying import try_text

TAME = {name: one for name, one in BROKEN.items() if one.is_tame and not one.is_read}


@pytest.fixture(autouse=True)
def own_modules() -> object:
    """Each test has a module of the same name."""
    places = list(sys.path)
    yield
    sys.path[:] = places
    sys.modules.pop("thing", None)


@pytest.mark.parametrize("kind", GOOD)
def test_good_code_passes(tmp_path: Path, kind: CodeKind) -> None:
    assert try_text(tmp_path, kind, GOOD[kind]) == []


def test_good_options_pass(tmp_path: Path) -> None:
    assert try_text(tmp_path, "network", WITH_OPTIONS, {"width": 5}) == []


@pytest.mark.parametrize("name", TAME)
def test_broken_code_is_told(tmp_path: Path, name: str) -> None:
    one, before, folder = TAME[name], State(), os.getcwd()
    (wrong,) = try_text(tmp_path, one.kind, one.text, one.options)
    place = f"{wrong['file']}:{wrong['line']}: " if wrong["file"] else ""
    assert one.says in f"{place}{wrong['what']}"
    assert wrong["fix"]
    # pytest's own variable changes by itself
    left = [change for change in before.changes(draws=False) if "PYTEST" not in change and "XP_OWN" not in change]
    assert (left, os.getcwd(), torch.get_default_dtype()) == ([], folder, torch.float32)


def test_every_wrong_option_is_told(tmp_path: Path) -> None:
    wrongs = try_text(tmp_path, "network", WITH_OPTIONS, {"widht": 3, "width": "wide"})
    assert [one["at"] for one in wrongs] == ["widht", "width"]
    assert wrongs[0]["fix"] == "did you mean 'width'?"


def test_code_sees_the_image_size(tmp_path: Path) -> None:
    text = GOOD["network"].replace("super()", "assert image_size == 24; super()")
    assert try_text(tmp_path, "network", text, image_size=24) == []
    assert "AssertionError" in try_text(tmp_path, "network", text, image_size=32)[0]["what"]
