"""Grouped bars: takes the mean, interval and seeds of each arm and point, gives charts that begin at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from engine.report.charts.style import INK, SCREEN, Paper, colour_of, draw_legend, point_name, short_number, tidy

NARROW = 0.32  # inches of a bar: below that its number stands upright
THIN = 0.1  # inches: below that there is no room for numbers
HATCH = "///"
Edges = tuple[float, float]


@dataclass(frozen=True)
class Bars:
    """Grouped bars: one group for each point of the matrix, one bar for each arm; absent values are None.

    `edges` are the ends of the interval of each bar, `seeds` the single values behind it. `notes` say what a reader
    must know.
    """

    name: str
    title: str
    unit: str
    points: Sequence[str]
    values: Mapping[str, Sequence[float | None]]
    edges: Mapping[str, Sequence[Edges | None]] = field(default_factory=dict)
    seeds: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    hatched: frozenset[str] = frozenset()
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def is_empty(self) -> bool:
        return all(value is None for row in self.values.values() for value in row)


def draw_bars(bars: Bars, paper: Paper = SCREEN) -> Figure:
    """Return the chart; whiskers are intervals, points are seeds. The axis of values starts at 0."""
    return draw_panels([bars], paper)


def draw_panels(charts: Sequence[Bars], paper: Paper = SCREEN) -> Figure:
    """Return charts of the same arms below one another, with one legend: a figure as the paper has it."""
    with paper.style():
        figure = paper.figure(
            (2.0 if len(charts) > 1 else 3.2) * len(charts) * paper.scale + 0.5, _width(charts, paper)
        )
        axes = figure.subplots(len(charts), 1, squeeze=False)[:, 0]
        for at, bars in enumerate(charts):
            _draw_panel(axes[at], bars, paper, figure.get_figwidth())
        arms = charts[0].values
        draw_legend(figure, arms, paper, [_key(charts[0], arm, at) for at, arm in enumerate(arms)])
    return figure


def _width(charts: Sequence[Bars], paper: Paper) -> float:
    """A page on the screen gives many bars more room; a column of print is as wide as it is."""
    bars = len(charts[0].points) * len(charts[0].values)
    return min(11.0, max(paper.width, 0.42 * bars + 1.0)) if paper is SCREEN else paper.width


def _key(bars: Bars, arm: str, at: int) -> Patch:
    hatch = HATCH if arm in bars.hatched else None
    return Patch(facecolor=colour_of(at), edgecolor=INK, linewidth=0.4, hatch=hatch, label=f"{at + 1} {arm}")


def _draw_panel(axes: Axes, bars: Bars, paper: Paper, width: float) -> None:
    room = 0.8 * (width - 0.8) / max(len(bars.points) * len(bars.values), 1)  # inches a bar
    for at, arm in enumerate(bars.values):
        _draw_arm(axes, bars, arm, at, paper, room)
    tidy(axes, f"{bars.title} [{bars.unit}]", paper, grid="y")
    _label_groups(axes, bars, paper, room)
    axes.margins(y=0.2 if room < NARROW else 0.12)
    axes.set_ylim(bottom=0)


def _draw_arm(axes: Axes, bars: Bars, arm: str, at: int, paper: Paper, room: float) -> None:
    wide, count = 0.8 / len(bars.values), len(bars.points)
    places = [group - 0.4 + wide * (at + 0.5) for group in range(count)]
    heights = [0.0 if value is None else value for value in bars.values[arm]]
    hatch = HATCH if arm in bars.hatched else None
    axes.bar(
        places, heights, wide * 0.9, label=arm, color=colour_of(at), hatch=hatch, edgecolor=INK, linewidth=0.4
    )  # fmt: skip
    edges = bars.edges.get(arm, [None] * count)
    _draw_whiskers(axes, places, heights, edges, paper)
    seeds = bars.seeds.get(arm, [()] * count)
    for place, values in zip(places, seeds, strict=True):
        if len(values) > 1:
            _draw_seeds(axes, place, wide, values, paper)
    if room < THIN:
        return
    for number, value in enumerate(bars.values[arm]):
        tops = [heights[number], *(edges[number] or ()), *seeds[number]]
        _label_bar(axes, places[number], value, max(tops), paper, is_upright=room < NARROW)


def _draw_whiskers(
    axes: Axes, places: Sequence[float], heights: Sequence[float], edges: Sequence[Edges | None], paper: Paper
) -> None:
    held = [(place, height, one) for place, height, one in zip(places, heights, edges, strict=True) if one is not None]
    if held:
        at, middle, ends = zip(*held, strict=True)
        spans = [[mid - low for mid, (low, _) in zip(middle, ends, strict=True)],
                 [high - mid for mid, (_, high) in zip(middle, ends, strict=True)]]  # fmt: skip
        axes.errorbar(
            at, middle, spans, fmt="none", ecolor=INK, elinewidth=1.1 * paper.scale, capsize=3 * paper.scale
        )  # fmt: skip


def _draw_seeds(axes: Axes, place: float, wide: float, values: Sequence[float], paper: Paper) -> None:
    """Put a seed's point beside the whisker, left and right in turn, so that none hides another."""
    offsets = [wide * 0.22 * (-1) ** number for number in range(len(values))]
    axes.plot(
        [place + offset for offset in offsets], values, linestyle="none", marker="o", markersize=3 * paper.scale,
        markerfacecolor="white", markeredgecolor="black", markeredgewidth=0.6,
    )  # fmt: skip


def _label_bar(axes: Axes, place: float, value: float | None, top: float, paper: Paper, *, is_upright: bool) -> None:
    text = "none" if value is None else short_number(value)
    axes.annotate(
        text, (place, top), (0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=paper.small,
        rotation=90 if is_upright else 0,
    )  # fmt: skip


def _label_groups(axes: Axes, bars: Bars, paper: Paper, room: float) -> None:
    """Name each group below it, and each bar by the number that its arm has in the legend."""
    axes.set_xticks(range(len(bars.points)), [_wrap(point_name(point)) for point in bars.points])
    axes.tick_params(length=0)
    if room < THIN or len(bars.values) < 2:
        return
    wide = 0.8 / len(bars.values)
    places = [group - 0.4 + wide * (at + 0.5) for group in range(len(bars.points)) for at in range(len(bars.values))]
    numbers = [str(at + 1) for _ in bars.points for at in range(len(bars.values))]
    axes.set_xticks(places, numbers, minor=True, fontsize=paper.small)
    axes.tick_params(axis="x", which="minor", length=0, pad=2)
    axes.tick_params(axis="x", which="major", pad=4 + 1.4 * paper.small)


def _wrap(name: str) -> str:
    return name.replace(" ", "\n") if len(name) > 24 else name
