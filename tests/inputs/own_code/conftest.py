"""A home in which nothing is trusted yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home, open_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)
