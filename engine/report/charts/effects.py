"""What each arm does beside the baseline: takes differences with intervals, gives a forest plot around a zero line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.report.charts.style import COLUMN, INK, SCREEN, Paper, break_name, colour_of, mark_of, point_name, tidy

HIGH = 0.26  # inches a row on the screen
LONGEST = {SCREEN: 44, COLUMN: 20}  # letters of a line of a name


@dataclass(frozen=True)
class Effect:
    """The difference of one arm, in points: `edges` of its interval where there are any; `n` common seeds.

    `place` decides its look; `is_told`: told apart from the baseline; `note` stands behind its name.
    """

    arm: str
    place: int
    mean: float
    edges: tuple[float, float] | None
    n: int
    is_told: bool = False
    note: str = ""


@dataclass(frozen=True)
class Effects:
    """The effects of all arms by point of the matrix. `notes` say what a reader must know."""

    name: str
    title: str
    across: str
    points: Sequence[tuple[str, Sequence[Effect]]]
    notes: Sequence[str] = field(default_factory=tuple)

    width = 1.25 * SCREEN.width  # inches on a screen


def draw_effects(effects: Effects, paper: Paper = SCREEN) -> Figure:
    """Return a panel for each point on one axis of differences; a filled mark is told apart, a hollow one is not."""
    rows = [max(sum(_lines(one, paper) for one in held), 1) for _, held in effects.points]
    with paper.style():
        high = HIGH * paper.small / 9
        figure = paper.figure(high * (sum(rows) + 1.6 * len(rows)) + 1.1 * paper.small / 9, effects.width)
        panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=[row + 0.6 for row in rows])
        for axes, (point, held) in zip(panels[:, 0], effects.points, strict=True):
            _draw_panel(axes, held, paper)
            tidy(axes, point_name(point), paper, grid="x")
        figure.suptitle(effects.title, x=0.01, ha="left", fontsize=paper.large)
        panels[-1, 0].set_xlabel(effects.across)
    return figure


def _draw_panel(axes: Axes, held: Sequence[Effect], paper: Paper) -> None:
    axes.axvline(0, color=INK, linewidth=0.9 * paper.scale)
    rows = list(accumulate((_lines(one, paper) for one in held), initial=0))
    middles = [first + (_lines(one, paper) - 1) / 2 for first, one in zip(rows, held, strict=False)]
    for row, one in zip(middles, held, strict=True):
        colour = colour_of(one.place)
        if one.edges is not None:
            axes.plot(one.edges, (row, row), color=colour, linewidth=1.8 * paper.scale, marker="|", markersize=6)
        axes.plot(
            one.mean, row, linestyle="none", marker=mark_of(one.place), markersize=6.5 * paper.scale, color=colour,
            markerfacecolor=colour if one.is_told else "white", markeredgewidth=1.4 * paper.scale,
        )  # fmt: skip
        axes.annotate(
            _told(one), (1.0, row), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center", fontsize=paper.small,
        )  # fmt: skip
    axes.set_yticks(middles, [_name(one, paper) for one in held])
    axes.set_ylim(rows[-1] - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _name(one: Effect, paper: Paper) -> str:
    return break_name(f"{one.arm} [{one.note}]" if one.note else one.arm, LONGEST[paper])


def _lines(one: Effect, paper: Paper) -> int:
    """How many rows of a panel an arm takes: one for each line of its name."""
    return _name(one, paper).count("\n") + 1


def _told(one: Effect) -> str:
    edges = "" if one.edges is None else f" [{one.edges[0]:+.1f}, {one.edges[1]:+.1f}]"
    return f"{one.mean:+.1f}{edges} n={one.n}"
