"""A search over two settings: takes the cells of a grid, gives a heat map that says how sure each of them is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from engine.report.charts.style import INK, SCREEN, Paper

COLOURS = "cividis"  # one order of lightness, seen alike by colour-blind readers and in grey
BRIGHT = 0.45  # share of the range from which on letters are black


@dataclass(frozen=True)
class Tried:
    """One cell: mean accuracy in per cent, half of its 95 % interval where there is one, and seeds behind it."""

    mean: float
    half: float | None
    n: int


@dataclass(frozen=True)
class SearchGrid:
    """A grid: `rows` and `columns` are the levels of its two settings, `cells` what was tried, by (row, column)."""

    name: str
    title: str
    down: str
    across: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Mapping[tuple[int, int], Tried]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def width(self) -> float:
        """Inches on a screen."""
        return min(11.0, max(SCREEN.width, 0.7 * len(self.columns) + 2.4))


def draw_grid(grid: SearchGrid, paper: Paper = SCREEN) -> Figure:
    """Return the heat map; what was not tried, or has no figure yet, is hatched and says so."""
    with paper.style():
        figure = paper.figure(0.68 * paper.small / 9 * len(grid.rows) + 1.4, grid.width)
        axes = figure.add_subplot()
        colours = _scale(grid)
        for row in range(len(grid.rows)):
            for column in range(len(grid.columns)):
                _draw_cell(axes, row, column, grid.cells.get((row, column)), colours, paper)
        _label(axes, grid, paper)
        if grid.cells:
            bar = figure.colorbar(colours, ax=axes, pad=0.02, shrink=0.9)
            bar.set_label("test accuracy [%]", fontsize=paper.small)
            bar.ax.tick_params(labelsize=paper.small)
    return figure


def _scale(grid: SearchGrid) -> ScalarMappable:
    means = [one.mean for one in grid.cells.values()] or [0.0]
    low, high = min(means), max(means)
    spare = 0.5 if math.isclose(low, high) else 0.0
    return ScalarMappable(Normalize(low - spare, high + spare), matplotlib.colormaps[COLOURS])


def _draw_cell(axes: Axes, row: int, column: int, one: Tried | None, colours: ScalarMappable, paper: Paper) -> None:
    if one is None:
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=0.4, hatch="//", alpha=0.35)
        )  # fmt: skip
        axes.text(column, row, "none", ha="center", va="center", fontsize=paper.small)
        return
    low, high = colours.get_clim()
    share = (one.mean - (low or 0.0)) / ((high or 0.0) - (low or 0.0))
    colour = matplotlib.colormaps[COLOURS](share)
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, edgecolor=INK, linewidth=0.4))
    half = "" if one.half is None else f"\n\u00b1 {one.half:.1f}"
    letters = "black" if share > BRIGHT else "white"
    axes.text(
        column, row, f"{one.mean:.1f}{half}\nn={one.n}", ha="center", va="center", fontsize=paper.small, color=letters
    )


def _label(axes: Axes, grid: SearchGrid, paper: Paper) -> None:
    axes.set_xlim(-0.5, len(grid.columns) - 0.5)
    axes.set_ylim(len(grid.rows) - 0.5, -0.5)
    axes.set_xticks(range(len(grid.columns)), [_wrap(text) for text in grid.columns])
    axes.set_yticks(range(len(grid.rows)), grid.rows)
    axes.tick_params(length=0, labelsize=paper.small)
    axes.set_xlabel(grid.across)
    axes.set_ylabel(grid.down)
    axes.set_title(grid.title, loc="left", fontsize=paper.large)
    for side in axes.spines.values():
        side.set_visible(False)


def _wrap(text: str) -> str:
    return text.replace(", ", ",\n") if len(text) > 10 else text
