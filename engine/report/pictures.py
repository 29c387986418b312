"""What stands on a page beside tables: takes a page, gives its charts drawn, and the attention maps that it shows."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol, TypeVar

from matplotlib.figure import Figure

from engine.home.commits import artifact_problem, sound_winner
from engine.home.paths import Home
from engine.report.charts.bars import Bars, draw_bars, draw_panels
from engine.report.charts.best_so_far import draw_best
from engine.report.charts.curves import draw_curves
from engine.report.charts.data.searches import SearchCharts
from engine.report.charts.effects import draw_effects
from engine.report.charts.grids import draw_grid
from engine.report.charts.importance import draw_weights
from engine.report.charts.likeness import draw_likenesses
from engine.report.charts.parallel import draw_parallel
from engine.report.charts.reliability import Reliability, draw_reliability
from engine.report.charts.style import COLUMN, SCREEN, Paper
from engine.report.charts.trial_front import draw_trial_front
from engine.report.front_chart import Front, draw_front
from engine.report.looks import draw_deletion, find_looks
from engine.report.page import MapColumn, Page
from engine.report.sentences import say

MOST_MAPS = 8


class Noted(Protocol):
    """What a chart shows, with what must be known to read it."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def notes(self) -> Sequence[str]: ...


Drawn = TypeVar("Drawn", bound=Noted)


@dataclass(frozen=True)
class Chart:
    """A chart under the name its files get; `section` is where on the page it stands, `note` how to read it.

    It is drawn for the paper it is seen on: `figure` for a screen, where it is `width` inches wide, `narrow` for a
    column of print.
    """

    name: str
    title: str
    draw: Callable[[Paper], Figure]
    section: str = "charts"
    note: str = ""
    bars: Bars | None = None
    width: float = SCREEN.width

    @cached_property
    def figure(self) -> Figure:
        return self.draw(SCREEN)

    @property
    def is_broad(self) -> bool:
        """Whether it takes the whole width of a page."""
        return self.width > 6

    @cached_property
    def narrow(self) -> Figure:
        return self.draw(COLUMN)


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
    found = [replace(_chart(one, draw_bars, one.width), bars=one) for one in page.charts]
    found += [_chart(page.effects, draw_effects, page.effects.width)] if page.effects else []
    found += [_chart(one, draw_curves) for one in page.curves]
    found += [_chart(one, _draw_front, one.width) for one in page.costs]
    found += [_chart(one, draw_grid, one.width) for one in page.grids]
    found += [_chart(page.likeness, draw_likenesses)] if page.likeness else []
    found += [_reliability_chart(page.teachers.reliability)] if page.teachers and page.teachers.reliability else []
    fronts = page.compression.charts if page.compression else []
    found += [_chart(one, _draw_front, one.width, "compression") for one in fronts]
    return found + (list(_search_charts(page.search.charts)) if page.search else [])


def _reliability_chart(shown: Reliability) -> Chart:
    return Chart(shown.name, shown.title, partial(draw_reliability, shown), "teachers", width=shown.width)


def _search_charts(charts: SearchCharts) -> Iterator[Chart]:
    if charts.best:
        yield _chart(charts.best, draw_best, section="search")
    if charts.front:
        yield _chart(charts.front, draw_trial_front, charts.front.width, "search")
    yield from (_chart(one, draw_parallel, one.width, "search") for one in charts.parallels)
    yield from (_chart(one, draw_weights, section="search") for one in charts.weights)


def printed_charts(charts: Sequence[Chart]) -> list[Chart]:
    """Return the charts as a column of print has them: all bars are panels of one figure, with one legend."""
    panels = [one.bars for one in charts if one.bars is not None]
    if len(panels) < 2:
        return list(charts)
    notes = " ".join(dict.fromkeys(note for bars in panels for note in bars.notes))
    whole = Chart("bars", ", ".join(bars.title for bars in panels), partial(draw_panels, panels), note=notes)
    return [whole, *(one for one in charts if one.bars is None)]


def _chart(
    shown: Drawn, draw: Callable[[Drawn, Paper], Figure], width: float = SCREEN.width, section: str = "charts"
) -> Chart:
    return Chart(shown.name, shown.title, partial(draw, shown), section, " ".join(shown.notes), width=width)


def _draw_front(front: Front, paper: Paper) -> Figure:
    """Its labels find their places on one size of paper; print takes it over two columns."""
    return draw_front(front)


def draw_map_charts(home: Home, page: Page) -> list[Chart]:
    """Return the figures of networks on the same images and the deletion curves, where the spec names maps."""
    found = [
        Chart(one.name, "Attention maps", one.draw, "maps", one.note, width=one.width)
        for one in find_looks(home, page.map_rows)
    ]
    is_tested = any(row.get("deletion") for row in page.map_rows)
    curves = Chart("deletion", "Deletion curves", partial(draw_deletion, page.map_rows), "maps", say("deletion_chart"))
    return [*found, curves] if is_tested else found


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
