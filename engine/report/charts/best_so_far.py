"""How the best of a search grew: takes steps and bands of arms over training time, gives a chart of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.report.charts.style import SCREEN, Paper, colour_of, draw_legend, tidy

Step = tuple[float, float]
Edge = tuple[float, float, float, float]


@dataclass(frozen=True)
class BestSoFar:
    """The best of each arm after so much training: as it went, and in random orders (time, low, median, high).

    `ends` are where an arm's training ended: its line goes on so far. `notes` say what a reader must know.
    """

    name: str
    title: str
    along: str
    lines: Mapping[str, Sequence[Step]]
    bands: Mapping[str, Sequence[Edge]] = field(default_factory=dict)
    ends: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = field(default_factory=tuple)


def draw_best(chart: BestSoFar, paper: Paper = SCREEN) -> Figure:
    """Return the chart: stairs as it went, a band and a dotted median behind them."""
    with paper.style():
        figure = paper.figure(3.3 * paper.scale + (0.3 if paper.scale < 1 else 0.0))
        axes = figure.add_subplot()
        for at, arm in enumerate(chart.lines):
            draw_steps(axes, chart, arm, at, paper)
        tidy(axes, chart.title, paper)
        axes.set_xlabel(chart.along)
        axes.set_xlim(left=0)
        draw_legend(figure, chart.lines, paper)
    return figure


def draw_steps(axes: Axes, chart: BestSoFar, arm: str, at: int, paper: Paper) -> None:
    """Draw one arm's stairs, and the band of random orders where it has one."""
    colour = colour_of(at)
    if band := chart.bands.get(arm):
        time, low, middle, high = zip(*band, strict=True)
        axes.fill_between(time, low, high, step="post", color=colour, alpha=0.18, linewidth=0)
        axes.step(time, middle, where="post", color=colour, linewidth=1.0 * paper.scale, linestyle=":")
    steps = list(chart.lines[arm])
    if steps and chart.ends.get(arm, 0.0) > steps[-1][0]:
        steps.append((chart.ends[arm], steps[-1][1]))
    spent, best = zip(*steps, strict=True) if steps else ((), ())
    axes.step(spent, best, where="post", color=colour, linewidth=1.8 * paper.scale, label=arm)
