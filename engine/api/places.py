"""The home that is meant: takes a path, a Home or nothing, gives a Home, with its results taken in where they count."""

from __future__ import annotations

from pathlib import Path

from engine.api.arguments import check_home
from engine.home.access import written_as_home
from engine.home.paths import Home, open_home

AnyHome = Home | str | Path | None


def find_home(home: AnyHome, *, create: bool = False) -> Home:
    """Return the home; None is XP_HOME, else .xp here or in a folder above.

    Raises HomeError where there is none and none is to be made, XpError for what is neither path nor Home.
    """
    check_home(home)
    return home if isinstance(home, Home) else open_home(home, create=create)


def find_fresh(home: AnyHome) -> Home:
    """Return the home once all that its jobs wrote is in its results."""
    from engine.collect import collect

    place = find_home(home)
    with written_as_home(place.root):
        collect(place, wait=60.0)
    return place
