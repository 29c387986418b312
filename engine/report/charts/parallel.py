"""Trials as lines through their settings: takes places on parallel axes and a figure, gives lines coloured by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from engine.report.charts.style import INK, SCREEN, Paper, PlacedFigure, break_name

COLOURS = "cividis"  # one order of lightness, seen alike by colour-blind readers and in grey
ABSENT = -0.16  # where a line passes an axis that its trial did not draw
WIDE = {True: 9.0, False: 7.0}  # inches on a screen, and over both columns of print
SHARE = 0.1  # of the trials are as dark as can be: one that went wrong would leave no colours for the rest


@dataclass(frozen=True)
class Coordinate:
    """An axis: what it is of, and what stands at which places of it (0 at its lower end, 1 at its upper)."""

    label: str
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Line:
    """A trial: its place on each axis, None where it drew none, and its figure."""

    places: Sequence[float | None]
    figure: float


@dataclass(frozen=True)
class Parallel:
    """The trials of an arm; `is_less` where less of the figure is better. `notes` say what a reader must know."""

    name: str
    title: str
    figure: str
    axes: Sequence[Coordinate]
    lines: Sequence[Line]
    is_less: bool = False
    notes: Sequence[str] = field(default_factory=tuple)

    width = WIDE[True]  # inches on a screen


def draw_parallel(chart: Parallel, paper: Paper = SCREEN) -> Figure:
    """Return the chart; the best trials lie on top."""
    with paper.style():
        figure = PlacedFigure(WIDE[paper is SCREEN], 4.2 * paper.small / 9)
        axes = figure.add_subplot()
        colours = _colours(chart)
        _draw_lines(axes, chart, colours, paper)
        _draw_axes(axes, chart, paper)
        axes.set_title(chart.title, loc="left", fontsize=paper.large)
        if len({line.figure for line in chart.lines}) > 1:  # of figures that are all alike there is no scale
            bar = figure.colorbar(colours, ax=axes, pad=0.02, shrink=0.85, extend="max" if chart.is_less else "min")
            bar.set_label(chart.figure, fontsize=paper.small)
            bar.ax.tick_params(labelsize=paper.small)
    return figure


def _colours(chart: Parallel) -> ScalarMappable:
    """Return the colours of figures: the better, the brighter."""
    figures = np.array([line.figure for line in chart.lines])
    worst = float(np.quantile(figures, 1 - SHARE if chart.is_less else SHARE))
    best = float(np.min(figures) if chart.is_less else np.max(figures))
    edges = (best, worst) if chart.is_less else (worst, best)
    scale = Normalize(edges[0], edges[1] if edges[1] > edges[0] else edges[0] + 1e-9)
    return ScalarMappable(scale, matplotlib.colormaps[COLOURS + ("_r" if chart.is_less else "")])


def _draw_lines(axes: Axes, chart: Parallel, colours: ScalarMappable, paper: Paper) -> None:
    ranked = sorted(chart.lines, key=lambda line: line.figure, reverse=chart.is_less)
    points = [[(at, ABSENT if place is None else place) for at, place in enumerate(line.places)] for line in ranked]
    wide = np.linspace(0.8, 1.8, len(ranked)) * paper.scale
    shades = colours.to_rgba(np.array([line.figure for line in ranked]))
    axes.add_collection(LineCollection(points, colors=shades, linewidths=wide, alpha=0.75))


def _draw_axes(axes: Axes, chart: Parallel, paper: Paper) -> None:
    has_absent = any(place is None for line in chart.lines for place in line.places)
    bottom = ABSENT - 0.06 if has_absent else -0.06
    letters = max(8, int(WIDE[paper is SCREEN] * 11 / len(chart.axes)))
    axes.set_xlim(-0.3, len(chart.axes) - 0.5)
    axes.set_ylim(bottom, 1.06)
    for at, one in enumerate(chart.axes):
        axes.plot([at, at], [0, 1], color=INK, linewidth=0.9 * paper.scale)
        for place, text in one.ticks:
            _write_tick(axes, at, place, text, paper)
    axes.set_xticks(range(len(chart.axes)), [_label(one.label, letters) for one in chart.axes])
    axes.set_yticks([ABSENT] if has_absent else [], ["not drawn"] if has_absent else [])
    axes.tick_params(labelsize=paper.small, length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _write_tick(axes: Axes, at: int, place: float, text: str, paper: Paper) -> None:
    """Write what stands at a place: at the ends beyond the axis, where no line runs."""
    offset, across, up = {1.0: ((0, 3), "center", "bottom"), 0.0: ((0, -3), "center", "top")}.get(
        place, ((3, 0), "left", "center")
    )
    axes.annotate(
        text, (at, place), offset, textcoords="offset points", fontsize=paper.small - 1, ha=across, va=up
    ).set_in_layout(False)


def _label(path: str, most: int) -> str:
    """Break a dotted path into a line for each of its parts."""
    *parts, last = path.split(".")
    return "\n".join(break_name(part, most) for part in (*(f"{part}." for part in parts), last))
