"""A home for each test, whose queue has to be in order at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.home.paths import Home
from tests.helpers.queueing import faults, make_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = make_home(tmp_path)
    yield made
    assert faults(made) == []
