"""Learning curves: takes the points and the spread of each arm, gives lines that are all seen, and bands behind them.

Lines that lie on one another are dashed in turn; a band reaches from the lowest to the highest seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from engine.report.charts.style import SCREEN, Paper, colour_of, draw_legend, mark_of, tidy

Point = tuple[int, float]
Piece = tuple[Point, ...]
Band = tuple[int, float, float]
DASH = 6.0  # points: how long each arm is seen where several lie on one another
WIDEST, THINNEST = 2.8, 1.2  # points: later lines are thinner, so that those just below them are seen on both sides
MARKED = 30  # epochs from which on only some points are marked
MOST_MARKS = 8  # of a longer line


@dataclass(frozen=True)
class Curves:
    """One line for each arm over epochs (counted from 1); recovery after pruning goes on where training ended.

    `bands`: the least and the most of several seeds at an epoch, for arms that have them.
    `pruned`: the epoch after which an arm was pruned, for arms that were. `notes` say what a reader must know,
    `along` what the points stand at.
    """

    name: str
    title: str
    unit: str
    lines: Mapping[str, Sequence[Point]]
    arms: Sequence[str] = field(default_factory=tuple)
    pruned: Mapping[str, int] = field(default_factory=dict)
    bands: Mapping[str, Sequence[Band]] = field(default_factory=dict)
    notes: Sequence[str] = field(default_factory=tuple)
    along: str = "epoch"

    def pieces(self, arm: str) -> list[Piece]:
        """Return the line of an arm up to its pruning and from there on; of one point where there is no more."""
        line, cut = tuple(self.lines.get(arm, ())), self.pruned.get(arm, math.inf)
        whole = tuple(point for point in line if point[0] <= cut)
        rest = whole[-1:] + tuple(point for point in line if point[0] > cut)
        return [piece for piece in (whole, rest) if len(piece) > 1] or ([line] if line else [])

    @cached_property
    def owners(self) -> Mapping[Piece, Sequence[str]]:
        """The arms that have a piece of the very same points: they would hide one another."""
        found: dict[Piece, list[str]] = {}
        for arm in self.lines:
            for piece in self.pieces(arm):
                found.setdefault(piece, []).append(arm)
        return found


def draw_curves(curves: Curves, paper: Paper = SCREEN) -> Figure:
    """Return the chart; lines that lie on one another are dashed in turn, and a cross marks where an arm was pruned."""
    with paper.style():
        figure = paper.figure(3.3 * paper.scale + (0.3 if paper.scale < 1 else 0.0))
        axes = figure.add_subplot()
        for at, arm in enumerate(curves.arms or curves.lines):
            _draw_band(axes, curves, arm, at)
            for number, piece in enumerate(curves.pieces(arm)):
                _draw_piece(axes, curves, arm, at, piece, paper, is_named=number == 0)
            _mark_pruning(axes, curves, arm, at, paper)
        tidy(axes, f"{curves.title} [{curves.unit}]" if curves.unit else curves.title, paper)
        axes.set_xlabel("epoch, recovery included" if curves.pruned else curves.along)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        draw_legend(figure, curves.lines, paper)
        for handle in [handle for legend in figure.legends for handle in legend.legend_handles]:  # none of too many
            if isinstance(handle, Line2D):  # in the legend nothing lies on it
                handle.set_linestyle("-")
    return figure


def _draw_band(axes: Axes, curves: Curves, arm: str, at: int) -> None:
    """Arms of the very same line share their band: drawn once more it would look like more."""
    twins = next((arms for arms in curves.owners.values() if arm in arms), [arm])
    band = curves.bands.get(arm, ())
    if len(band) > 1 and twins[0] == arm:
        epochs, least, most = zip(*band, strict=True)
        axes.fill_between(epochs, least, most, color=colour_of(at), alpha=0.18, linewidth=0)


def _draw_piece(axes: Axes, curves: Curves, arm: str, at: int, piece: Piece, paper: Paper, *, is_named: bool) -> None:
    twins = curves.owners[piece]
    turn, count = twins.index(arm), len(twins)
    epochs, values = zip(*piece, strict=True)
    style: Any = "-" if count == 1 else (DASH * turn, (DASH, DASH * (count - 1)))
    wide = paper.scale * (WIDEST - (WIDEST - THINNEST) * at / max(len(curves.arms or curves.lines) - 1, 1))
    every = count if len(piece) < MARKED else math.lcm(count, math.ceil(len(piece) / MOST_MARKS))
    axes.plot(
        epochs, values, label=arm if is_named else "_", color=colour_of(at), linestyle=style, linewidth=wide,
        marker=mark_of(at), markersize=2 * wide + 1, markevery=(turn % len(piece), every),
    )  # fmt: skip


def _mark_pruning(axes: Axes, curves: Curves, arm: str, at: int, paper: Paper) -> None:
    """Put a cross at the last point before an arm was pruned, those of several arms beside one another in size."""
    last = [point for point in curves.lines.get(arm, ()) if point[0] <= curves.pruned.get(arm, -1)][-1:]
    for epoch, value in last:
        before = [one for one in curves.pruned if one in curves.lines].index(arm)
        size = paper.scale * (9.0 + 4.0 * before)
        axes.plot(epoch, value, marker="x", color=colour_of(at), markersize=size, markeredgewidth=1.8, label="_")
