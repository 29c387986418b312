"""What stands on a page beside tables: takes a page, gives its charts drawn, and the attention maps that it shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from engine.home.commits import artifact_problem, sound_winner
from engine.home.paths import Home
from engine.report.figures import draw_bars, draw_curves, draw_reliability
from engine.report.front_chart import draw_front
from engine.report.looks import draw_deletion, draw_looks
from engine.report.page import MapColumn, Page
from engine.report.sentences import say

MOST_MAPS = 8


@dataclass(frozen=True)
class Chart:
    """A drawn chart under the name its files get; `section` is where on the page it stands, `note` how to read it."""

    name: str
    title: str
    figure: Figure
    section: str = "charts"
    note: str = ""


@dataclass(frozen=True)
class MapImage:
    """One attention map of one arm, as a file under jobs/; `title` is the image's class, `caption` the answer."""

    arm: str
    name: str
    path: Path
    title: str
    caption: str

    def inline(self) -> str:
        """Return the image as a data address."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode()


def draw_charts(page: Page) -> list[Chart]:
    """Return every chart of a page, in its order."""
    bars = [Chart(bars.name, bars.title, draw_bars(bars), note=" ".join(bars.notes)) for bars in page.charts]
    curves = [Chart(one.name, one.title, draw_curves(one), note=" ".join(one.notes)) for one in page.curves]
    drawn = page.teachers.reliability if page.teachers else None
    teachers = [Chart(drawn.name, drawn.title, draw_reliability(drawn), "teachers")] if drawn else []
    fronts = page.compression.charts if page.compression else []
    drawn_fronts = [Chart(one.name, one.title, draw_front(one), "compression", " ".join(one.notes)) for one in fronts]
    return bars + curves + teachers + drawn_fronts


def draw_map_charts(home: Home, page: Page) -> list[Chart]:
    """Return the figures of networks on the same images and the deletion curves, where the spec names maps."""
    figures = draw_looks(home, page.map_rows)
    charts = [Chart(one.name, "Attention maps", one.figure, "maps", one.note) for one in figures]
    curves = draw_deletion(page.map_rows)
    return charts + ([Chart("deletion", "Deletion curves", curves, "maps", say("deletion_chart"))] if curves else [])


def find_maps(home: Home, page: Page) -> dict[str, list[MapImage]]:
    """Return each image that arms explained -> the maps of it, one for each such arm; the first point that has maps.

    Arms with other test images number other images alike: an image is known by its key, and by its file without one.
    Maps that stand in a figure are not shown once more.
    """
    in_figures = {row["job"] for row in page.map_rows if row.get("looks")}
    point = page.maps[0].cell if page.maps else None
    rows: dict[str, list[MapImage]] = {}
    for column in (one for one in page.maps if one.cell == point and one.job not in in_figures):
        winner = sound_winner(home.job(column.job))
        for path in sorted(winner.artifacts.rglob("*.png")) if winner else ():
            if artifact_problem(home.job(column.job), path):
                continue
            rows.setdefault(column.samples.get(path.name, path.name), []).append(_map_image(column, path))
    return dict(list(rows.items())[:MOST_MAPS])


def _map_image(column: MapColumn, path: Path) -> MapImage:
    title, caption = column.titles.get(path.name, path.stem), column.captions.get(path.name, "")
    return MapImage(column.arm, path.name, path, title, caption)


def map_arms(maps: Mapping[str, Sequence[MapImage]]) -> list[str]:
    """Return the arms that have a column of maps, in the order they come in."""
    return list(dict.fromkeys(one.arm for row in maps.values() for one in row))
