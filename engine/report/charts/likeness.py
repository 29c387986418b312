"""What students make of their teachers: takes agreement and accuracy of each arm, gives one against the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from engine.report.charts.style import SCREEN, Paper, colour_of, draw_legend, mark_of, point_name, tidy

Edges = tuple[float, float]


@dataclass(frozen=True)
class Alike:
    """A taught arm: per cent of the test images on which it says what its teacher says, and on which it is right.

    The ranges reach from the lowest to the highest seed, None of one seed.
    """

    arm: str
    place: int
    agreement: float
    agreement_range: Edges | None
    right: float
    right_range: Edges | None


@dataclass(frozen=True)
class Likenesses:
    """Taught arms by point of the matrix. `notes` say what a reader must know."""

    name: str
    title: str
    points: Sequence[tuple[str, Sequence[Alike]]]
    notes: Sequence[str] = field(default_factory=tuple)


def draw_likenesses(chart: Likenesses, paper: Paper = SCREEN) -> Figure:
    """Return accuracy against agreement with the teacher, a panel for each point of the matrix."""
    count = len(chart.points)
    with paper.style():
        figure = paper.figure(3.4 * count * paper.scale + 0.3)
        panels = figure.subplots(count, 1, squeeze=False)[:, 0]
        for axes, (point, held) in zip(panels, chart.points, strict=True):
            for one in held:
                _draw_arm(axes, one, paper)
            tidy(axes, " \u2013 ".join(filter(None, (chart.title, point_name(point)))), paper)
            axes.set_xlabel("agreement with the teacher [%]")
            axes.set_ylabel("test accuracy [%]")
            axes.margins(0.15)
        arms = {one.arm: one.place for _, held in chart.points for one in held}
        draw_legend(figure, arms, paper, [_key(arm, place, paper) for arm, place in arms.items()])
    return figure


def _key(arm: str, place: int, paper: Paper) -> Line2D:
    size = 7 * paper.scale
    return Line2D([], [], linestyle="none", marker=mark_of(place), color=colour_of(place), markersize=size, label=arm)


def _draw_arm(axes: Axes, one: Alike, paper: Paper) -> None:
    colour, wide = colour_of(one.place), 1.2 * paper.scale
    if one.agreement_range is not None:
        axes.plot(one.agreement_range, (one.right, one.right), color=colour, linewidth=wide)
    if one.right_range is not None:
        axes.plot((one.agreement, one.agreement), one.right_range, color=colour, linewidth=wide)
    axes.plot(
        one.agreement, one.right, linestyle="none", marker=mark_of(one.place), markersize=8 * paper.scale, color=colour
    )
