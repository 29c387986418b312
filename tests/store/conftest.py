"""A home of invented jobs for tests of what the store makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.synthetic import SyntheticHome


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    return SyntheticHome(tmp_path / "home")
