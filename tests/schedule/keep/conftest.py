"""A home with two experiments that share a pack, and a job that nobody has."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.schedule import orders
from tests.helpers.keeping import make_two


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    def start_nobody(_: Home) -> None:
        """A scheduler would only find that nothing is to be done."""

    monkeypatch.setattr(orders, "start_detached", start_nobody)
    found = open_home(tmp_path / "home", create=True)
    make_two(found)
    return found
