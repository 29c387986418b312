"""Reliability diagrams: takes bins of confidence of each teacher, gives accuracy against confidence and a histogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.report.charts.style import INK, STYLE, colour_of, draw_legend

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


def draw_reliability(chart: Reliability) -> Figure:
    """Return accuracy against confidence beside how often each confidence comes; on the diagonal sure is right."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
        for at, (name, line) in enumerate(chart.lines.items()):
            _draw_reliability(left, line, name, at)
            _draw_histogram(right, line, at)
        for axes, title, unit in ((left, "Accuracy by confidence", ""), (right, "How often each confidence", " [%]")):
            axes.set_title(title + unit, loc="left", fontsize=11)
            axes.set_xlabel("confidence")
            axes.set_xlim(0, 1)
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.25, linewidth=0.6, color=INK)
        draw_legend(figure, chart.lines)
    return figure


def _draw_reliability(axes: Axes, line: ReliabilityLine, name: str, at: int) -> None:
    """The larger a point, the more images it stands for; bins with fewer than LEAST_BIN have none."""
    most = max(line.counts)
    held = [bin for bin in zip(line.confidence, line.accuracy, line.counts, strict=True) if bin[2] >= LEAST_BIN]
    sure, right, counts = zip(*held, strict=True) if held else ((), (), ())
    axes.plot(sure, right, color=colour_of(at), linewidth=1.4, label=name)
    sizes = [12 + 60 * count / most for count in counts]
    axes.scatter(sure, right, sizes, color=colour_of(at), alpha=0.8, clip_on=False)


def _draw_histogram(axes: Axes, line: ReliabilityLine, at: int) -> None:
    total, bins = sum(line.counts), len(line.counts)
    shares = [100 * count / total for count in line.counts]
    axes.stairs(shares, [edge / bins for edge in range(bins + 1)], color=colour_of(at), linewidth=1.6)
