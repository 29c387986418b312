"""Grouped bars: takes a value and a spread for each arm and point, gives one chart that begins at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.report.charts.style import INK, STYLE, colour_of, draw_legend, short_number


@dataclass(frozen=True)
class Bars:
    """Grouped bars: one group for each point of the matrix, one bar for each arm; absent values are None.

    `notes` say what a reader must know.
    """

    name: str
    title: str
    unit: str
    points: Sequence[str]
    values: Mapping[str, Sequence[float | None]]
    stds: Mapping[str, Sequence[float | None]]
    hatched: frozenset[str] = frozenset()
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def is_empty(self) -> bool:
        return all(value is None for row in self.values.values() for value in row)


def draw_bars(bars: Bars) -> Figure:
    """Return the chart; whiskers are one standard deviation over seeds. The axis of values starts at 0."""
    with matplotlib.rc_context(STYLE):
        width = min(11.0, max(5.2, 0.62 * len(bars.points) * len(bars.values) + 1.6))
        figure = Figure(figsize=(width, 3.5), layout="constrained")
        axes = figure.add_subplot()
        for at, arm in enumerate(bars.values):
            _draw_arm(axes, bars, arm, at)
        _label_groups(axes, bars)
        axes.set_title(f"{bars.title} [{bars.unit}]", loc="left", fontsize=11)
        axes.grid(axis="y", alpha=0.25, linewidth=0.6, color=INK)
        axes.tick_params(length=0)
        axes.margins(y=0.14)
        draw_legend(figure, bars.values)
    return figure


def _draw_arm(axes: Axes, bars: Bars, arm: str, at: int) -> None:
    wide = 0.8 / len(bars.values)
    places = [group - 0.4 + wide * (at + 0.5) for group in range(len(bars.points))]
    heights = [0.0 if value is None else value for value in bars.values[arm]]
    spans = [0.0 if std is None else std for std in bars.stds[arm]]
    hatch = "///" if arm in bars.hatched else None
    axes.bar(
        places, heights, wide * 0.9, label=arm, color=colour_of(at), hatch=hatch, edgecolor=INK, linewidth=0.4
    )  # fmt: skip
    if any(spans):
        axes.errorbar(places, heights, spans, fmt="none", ecolor=INK, elinewidth=1.1, capsize=3)
    for place, value, span in zip(places, bars.values[arm], spans, strict=True):
        text, height = ("none", 0.0) if value is None else (short_number(value), value + span)
        axes.annotate(text, (place, height), (0, 3), textcoords="offset points", ha="center", fontsize=8)


def _label_groups(axes: Axes, bars: Bars) -> None:
    names = [_wrap(point.removeprefix("data.")) if point != "default" else "" for point in bars.points]
    axes.set_xticks(range(len(bars.points)), names)


def _wrap(name: str) -> str:
    return name.replace(" ", "\n") if len(name) > 24 else name
