"""The front of a search: takes trials by two figures and the volume over training time, gives a chart of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from engine.report.charts.best_so_far import BestSoFar, draw_steps
from engine.report.charts.style import SCREEN, Paper, colour_of, draw_legend, mark_of, tidy

Spot = tuple[float, float]


@dataclass(frozen=True)
class Whiskers:
    """What was trained anew: its arm, its place, and the edges of its interval across and up, None without one."""

    arm: str
    spot: Spot
    across: tuple[float | None, float | None]
    up: tuple[float | None, float | None]


@dataclass(frozen=True)
class TrialFront:
    """The trials of each arm by two figures, nothing where there are more; `fronts` are those on its front, in order.

    `anew` are those of the fronts that were trained on fresh seeds.

    `is_more`: whether more of the figure across is better, which decides how the stairs turn. `notes` say what a reader
    must know.
    """

    name: str
    title: str
    across: str
    up: str
    spots: Mapping[str, Sequence[Spot]]
    fronts: Mapping[str, Sequence[Spot]]
    volume: BestSoFar
    is_more: bool = False
    notes: Sequence[str] = field(default_factory=tuple)
    anew: Sequence[Whiskers] = ()

    @property
    def width(self) -> float:
        """Inches on a screen, where its panels stand side by side."""
        return 9.0 if self.spots else SCREEN.width


def draw_trial_front(chart: TrialFront, paper: Paper = SCREEN) -> Figure:
    """Return the trials with their front, and beside it (in print below) how its volume grew."""
    with paper.style():
        count, is_wide = 1 + bool(chart.spots), paper is SCREEN
        figure = paper.figure(3.6 if is_wide else 2.5 * count, chart.width)
        panels = figure.subplots(*((1, count) if is_wide else (count, 1)), squeeze=False).ravel()
        if chart.spots:
            _draw_spots(panels[0], chart, paper)
        for at, arm in enumerate(chart.volume.lines):
            draw_steps(panels[-1], chart.volume, arm, at, paper)
        tidy(panels[-1], chart.volume.title, paper)
        panels[-1].set_xlabel(chart.volume.along)
        panels[-1].set_xlim(left=0)
        arms = list(chart.volume.lines)
        draw_legend(figure, arms, paper, [_key(arm, at, paper) for at, arm in enumerate(arms)])
    return figure


def _key(arm: str, at: int, paper: Paper) -> Line2D:
    return Line2D([], [], color=colour_of(at), marker=mark_of(at), markersize=6 * paper.scale, label=arm)


def _draw_spots(axes: Axes, chart: TrialFront, paper: Paper) -> None:
    for at, arm in enumerate(chart.spots):
        look: Any = {"linestyle": "none", "marker": mark_of(at), "color": colour_of(at)}
        axes.plot(*_apart(chart.spots[arm]), markersize=4 * paper.scale, alpha=0.35, **look)
        axes.plot(*_apart(chart.fronts[arm]), markersize=7 * paper.scale, **look)
        turn: Literal["pre", "post"] = "pre" if chart.is_more else "post"
        axes.step(*_apart(chart.fronts[arm]), where=turn, color=colour_of(at), linewidth=1.2 * paper.scale)
        for one in (one for one in chart.anew if one.arm == arm):
            _draw_whiskers(axes, one, at, paper)
    tidy(axes, chart.title, paper)
    axes.set_xlabel(chart.across)
    axes.set_ylabel(chart.up)
    axes.margins(0.08)


def _draw_whiskers(axes: Axes, one: Whiskers, at: int, paper: Paper) -> None:
    look: Any = {"color": colour_of(at), "linewidth": 1.2 * paper.scale}
    (x, y), (left, right), (low, high) = one.spot, one.across, one.up
    if left is not None and right is not None:
        axes.plot([left, right], [y, y], **look)
    if low is not None and high is not None:
        axes.plot([x, x], [low, high], **look)
    axes.plot([x], [y], marker=mark_of(at), markersize=7 * paper.scale, markerfacecolor="none", **look)


def _apart(spots: Sequence[Spot]) -> tuple[list[float], list[float]]:
    return [one[0] for one in spots], [one[1] for one in spots]
