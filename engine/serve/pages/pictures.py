"""Pictures of an experiment: takes a name of its page, gives a chart as SVG or an attention map as PNG."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from engine.errors import XpError
from engine.serve.drawings import draw_picture, find_chart, version_of
from engine.serve.readings import read_whole
from engine.serve.view import Asked, Raw, Trouble, View

FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}  # its address changes with what it shows
ANEW = {"cache-control": "no-cache"}
# Its own: a drawing has styles of its own, and runs and asks nothing.
POLICY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


def show_chart(asked: Asked) -> Raw | View:
    """Return a chart. Raises QueryError for an unknown experiment."""
    name = asked.path["experiment"]
    reading = read_whole(asked.site, name)
    chart = find_chart(reading, asked.path["chart"])
    if chart is None:
        return _nothing(asked, "chart")
    held = FOR_EVER if asked.word("v") == version_of(reading, chart) else ANEW
    return Raw(draw_picture(asked.site, name, reading, chart), "image/svg+xml", headers={**held, **POLICY})


def show_map(asked: Asked) -> Raw | View:
    """Return one of the maps that stand on an experiment's page, and no other file."""
    maps = read_whole(asked.site, asked.path["experiment"]).chapter.maps
    path = next((one.path for row in maps.values() for one in row if map_key(one.path) == asked.path["map"]), None)
    if path is None:
        return _nothing(asked, "map")
    try:
        return Raw(path.read_bytes(), "image/png", headers=FOR_EVER)
    except OSError as error:
        raise XpError(f"the map cannot be read: {error.strerror}", where=str(path)) from error


def map_key(path: Path) -> str:
    """Return what a map's file is called in addresses, which say nothing of where it lies."""
    return sha256(str(path).encode()).hexdigest()[:16]


def _nothing(asked: Asked, what: str) -> View:
    name = asked.path["experiment"]
    return View("trouble", "Not here", Trouble(f"{name} has no such {what}", "", "look at its page"), 404)
