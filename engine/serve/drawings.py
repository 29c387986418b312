"""The report's charts as pictures for a browser: takes a reading, gives addresses that change with what a chart shows.

Drawing takes longer than all else on a page, so each chart is drawn when it comes into sight, and once for the same
numbers. matplotlib's settings are the process's own: one chart at a time (DRAWING).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from engine.serve.readings import Reading
from engine.serve.site import Site

if TYPE_CHECKING:
    from engine.report.pictures import Chart

DRAWING = threading.Lock()
# What the report's own page does to INK: pictures are no part of the page, and know light from dark themselves.
INKS = "<style>svg{color:#1c2127}@media (prefers-color-scheme:dark){svg{color:#e6e9ec}}</style>"
LIVE = "curve_"  # charts that the page has as live ones


@dataclass(frozen=True)
class Picture:
    """A chart as a page names it; `version` is another one when it shows other numbers."""

    name: str
    title: str
    note: str
    version: str
    is_broad: bool


def list_pictures(reading: Reading, section: str) -> list[Picture]:
    """Return the pictures of a section of a report, but for curves, which pages draw themselves."""
    charts = [one for one in reading.chapter.charts if one.section == section and not one.name.startswith(LIVE)]
    return [Picture(one.name, one.title, one.note, version_of(reading, one), one.is_broad) for one in charts]


def find_chart(reading: Reading, name: str) -> Chart | None:
    return next((one for one in reading.chapter.charts if one.name == name), None)


def version_of(reading: Reading, chart: Chart) -> str:
    """Return what tells a chart from one of other numbers; maps change with the published file."""
    told = reading.mark if chart.section == "maps" else getattr(chart.draw, "args", reading.mark)
    return sha256(repr(told).encode()).hexdigest()[:16]


def draw_picture(site: Site, name: str, reading: Reading, chart: Chart) -> bytes:
    """Return a chart as an SVG file that suits light and dark."""
    return site.kept.get(("picture", name, chart.name, version_of(reading, chart)), lambda: _draw(chart))


def _draw(chart: Chart) -> bytes:
    from engine.report.charts.files import to_svg
    from engine.report.charts.style import INK

    with DRAWING:
        text = to_svg(chart.figure, chart.name)
    head, tag, rest = text.replace(INK, "currentColor").partition(">")
    return f"{head}{tag}{INKS}{rest}".encode()
