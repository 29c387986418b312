"""What decides whether a trial is good: takes shares by setting, gives bars that say which of them chance gives too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from engine.report.charts.style import SCREEN, Paper, break_name, colour_of, tidy

HIGH = 0.3  # inches a bar on the screen
LETTERS = 30  # of a line of a name


@dataclass(frozen=True)
class Weight:
    """A setting: its share in per cent, and whether chance gives less."""

    path: str
    share: float
    p: str
    is_told: bool


@dataclass(frozen=True)
class Weights:
    """The settings of an arm, the largest first; `place` decides the colour. `notes` say what a reader must know."""

    name: str
    title: str
    weights: Sequence[Weight]
    place: int = 0
    notes: Sequence[str] = field(default_factory=tuple)


def draw_weights(chart: Weights, paper: Paper = SCREEN) -> Figure:
    """Return the bars: filled where chance gives less, hollow where it gives as much."""
    with paper.style():
        figure = paper.figure(HIGH * paper.small / 9 * len(chart.weights) + 1.0)
        axes = figure.add_subplot()
        colour = colour_of(chart.place)
        for row, one in enumerate(chart.weights):
            axes.barh(
                row, one.share, height=0.62, color=colour if one.is_told else "none", edgecolor=colour,
                linewidth=1.2 * paper.scale,
            )  # fmt: skip
            axes.annotate(
                f"p {one.p}", (one.share, row), (4, 0), textcoords="offset points", va="center", fontsize=paper.small
            )
        axes.set_yticks(range(len(chart.weights)), [break_name(one.path, LETTERS) for one in chart.weights])
        axes.invert_yaxis()
        tidy(axes, chart.title, paper, grid="x")
        axes.set_xlabel("share of the importance [%]")
        axes.set_xlim(0, 1.18 * max((one.share for one in chart.weights), default=1.0) or 1.0)
    return figure
