"""A search worked off here and now: by looks and by jobs that are a known function, without a scheduler."""

from __future__ import annotations

from engine.home.paths import Home
from engine.search.advance import advance
from tests.search.objective import finish_open


def work_off(home: Home, name: str = "study") -> None:
    """Look and do what is asked for, until nothing is."""
    while home.search_mark(name).exists():
        assert advance(home, name)
        if not finish_open(home):
            advance(home, name)
            break
