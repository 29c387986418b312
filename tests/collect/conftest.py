"""A home of invented jobs for every test of collecting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.synthetic import SyntheticHome


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    return SyntheticHome(tmp_path / "home")
