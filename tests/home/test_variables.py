"""A misspelt variable of the environment is told, and a person's own is let be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import engine
from engine.home.variables import VARIABLES, misspelt_variables

ROOT = Path(engine.__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "meant"), [("XP_HOEM", "XP_HOME"), ("XP_CACHES", "XP_CACHE"), ("XP_LIMIT", "XP_LIMITS")]
)
def test_a_slip_is_told_with_the_nearest(name: str, meant: str) -> None:
    assert list(misspelt_variables(["PATH", name, "XP_HOME"])) == [(name, meant)]


@pytest.mark.parametrize("name", ["XP_DATA", "XP_IMAGES", "XPHOME", "xp_home", *VARIABLES])
def test_a_variable_that_is_meant_is_let_be(name: str) -> None:
    assert list(misspelt_variables([name])) == []


def test_every_variable_that_is_read_is_known() -> None:
    sources = [file for room in ("engine", "store") for file in (ROOT / room).rglob("*.py")]
    read = {word for file in sources for word in re.findall(r"\bXP_[A-Z_]*[A-Z]\b", file.read_text("utf-8"))}
    # What somebody else is told in, who is to be told of an experiment's end.
    told = {word for word in read if word.startswith("XP_NOTIFY_")}
    assert read - told == set(VARIABLES)
