"""Reliability diagrams: takes bins of confidence of each teacher, gives accuracy against confidence and a histogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.report.charts.style import INK, SCREEN, Paper, colour_of, draw_legend, mark_of, tidy

DASHES = ("-", "--", "-.", ":")
LEAST_BIN = 5  # images: with fewer a share says nothing


@dataclass(frozen=True)
class ReliabilityLine:
    """By equal bins of confidence from 0 to 1: how many images, how many of them right (share), how sure on average."""

    counts: Sequence[float]
    accuracy: Sequence[float]
    confidence: Sequence[float]


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram and a histogram of confidence, one line for each teacher."""

    name: str
    title: str
    lines: Mapping[str, ReliabilityLine]

    width = 9.0  # inches on a screen


def draw_reliability(chart: Reliability, paper: Paper = SCREEN) -> Figure:
    """Return accuracy against confidence and how often each confidence comes; on the diagonal sure is right.

    They stand side by side, and in a column of print below one another.
    """
    with paper.style():
        is_wide = paper is SCREEN
        figure = paper.figure(3.6 if is_wide else 4.4, chart.width)
        first, second = figure.subplots(1, 2) if is_wide else figure.subplots(2, 1)
        first.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
        for at, (name, line) in enumerate(chart.lines.items()):
            _draw_reliability(first, line, name, at, paper)
            _draw_histogram(second, line, at, paper)
        for axes, title, unit in ((first, "Accuracy by confidence", ""), (second, "How often each confidence", " [%]")):
            tidy(axes, title + unit, paper)
            axes.set_xlabel("confidence")
            axes.set_xlim(0, 1)
            axes.set_ylim(bottom=0)
        draw_legend(figure, chart.lines, paper)
    return figure


def _draw_reliability(axes: Axes, line: ReliabilityLine, name: str, at: int, paper: Paper) -> None:
    """The larger a point, the more images it stands for; bins with fewer than LEAST_BIN have none."""
    most = max(line.counts)
    held = [bin for bin in zip(line.confidence, line.accuracy, line.counts, strict=True) if bin[2] >= LEAST_BIN]
    sure, right, counts = zip(*held, strict=True) if held else ((), (), ())
    axes.plot(
        sure, right, color=colour_of(at), linewidth=1.4 * paper.scale, label=name, marker=mark_of(at), markersize=3
    )
    sizes = [12 + 60 * count / most for count in counts]
    axes.scatter(sure, right, sizes, color=colour_of(at), alpha=0.8, clip_on=False, marker=mark_of(at))


def _draw_histogram(axes: Axes, line: ReliabilityLine, at: int, paper: Paper) -> None:
    total, bins = sum(line.counts), len(line.counts)
    shares = [100 * count / total for count in line.counts]
    axes.stairs(
        shares,
        [edge / bins for edge in range(bins + 1)],
        color=colour_of(at),
        linewidth=1.6 * paper.scale,
        linestyle=DASHES[at % 4],
    )
