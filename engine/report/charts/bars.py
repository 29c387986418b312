"""Grouped bars: takes the mean, interval and seeds of each arm and point, gives charts that begin at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from engine.report.charts.style import INK, SCREEN, Paper, colour_of, draw_legend, point_name, short_number, tidy

NARROW = 0.32  # inches of a bar: below that a number of four letters stands upright
THIN = 0.1  # inches: below that there is no room for numbers
LONGEST, LETTER = 24, 0.58  # letters of a group's name in one line, and how wide one is in its own size
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

    @property
    def width(self) -> float:
        """Inches on a screen, which has more room for very many bars."""
        return min(11.0, max(SCREEN.width, 0.13 * len(self.points) * len(self.values) + 0.8))


def draw_bars(bars: Bars, paper: Paper = SCREEN) -> Figure:
    """Return the chart; whiskers are intervals, points are seeds. The axis of values starts at 0."""
    return draw_panels([bars], paper)


def draw_panels(charts: Sequence[Bars], paper: Paper = SCREEN) -> Figure:
    """Return charts of the same arms below one another, with one legend: a figure as the paper has it."""
    high = 1.6 if len(charts) > 1 else 2.6  # inches a panel
    with paper.style():
        figure = paper.figure(high * len(charts) + 0.2 + 0.17 * len(charts[0].values) / 2, charts[0].width)
        axes = figure.subplots(len(charts), 1, squeeze=False)[:, 0]
        for at, bars in enumerate(charts):
            _draw_panel(axes[at], bars, paper, figure.get_figwidth(), 72 * high - 5 * paper.small)
        arms = charts[0].values
        draw_legend(figure, arms, paper, [_key(charts[0], arm, at) for at, arm in enumerate(arms)])
    return figure


def _key(bars: Bars, arm: str, at: int) -> Patch:
    hatch = HATCH if arm in bars.hatched else None
    return Patch(facecolor=colour_of(at), edgecolor=INK, linewidth=0.4, hatch=hatch, label=f"{at + 1} {arm}")


def _draw_panel(axes: Axes, bars: Bars, paper: Paper, width: float, high: float) -> None:
    """Draw bars, each with its number above all that stands on it, and room for the numbers under the title."""
    room = 0.8 * (width - 0.8) / max(len(bars.points) * len(bars.values), 1)  # inches a bar
    tops = [_draw_arm(axes, bars, arm, at, paper) for at, arm in enumerate(bars.values)]
    tidy(axes, f"{bars.title} [{bars.unit}]", paper, grid="y")
    _label_groups(axes, bars, paper, room)
    longest = 0.0
    is_upright = room < NARROW * max(1.0, _most_letters(bars) / 4)
    for at, arm in enumerate(bars.values) if room >= THIN else ():
        for place, value, top in zip(_places(bars, at), bars.values[arm], tops[at], strict=True):
            text = "none" if value is None else short_number(value)
            longest = max(longest, 0.65 * len(text) if is_upright else 1.0)
            _label_bar(axes, place, text, top, paper, is_upright=is_upright)
    spare = min(0.6, (longest * paper.small + 6) / high)
    axes.set_ylim(0, max((top for row in tops for top in row), default=0.0) / (1 - spare) or 1.0)


def _most_letters(bars: Bars) -> int:
    return max(
        (len(short_number(value)) for row in bars.values.values() for value in row if value is not None), default=0
    )


def _places(bars: Bars, at: int) -> list[float]:
    wide = 0.8 / len(bars.values)
    return [group - 0.4 + wide * (at + 0.5) for group in range(len(bars.points))]


def _draw_arm(axes: Axes, bars: Bars, arm: str, at: int, paper: Paper) -> list[float]:
    """Draw the bars of an arm and return how high each reaches, with its whisker and its seeds."""
    wide, count, places = 0.8 / len(bars.values), len(bars.points), _places(bars, at)
    heights = [0.0 if value is None else value for value in bars.values[arm]]
    hatch = HATCH if arm in bars.hatched else None
    axes.bar(
        places, heights, wide * 0.9, label=arm, color=colour_of(at), hatch=hatch, edgecolor=INK, linewidth=0.4
    )  # fmt: skip
    edges, seeds = bars.edges.get(arm, [None] * count), bars.seeds.get(arm, [()] * count)
    _draw_whiskers(axes, places, heights, edges, paper)
    for place, values in zip(places, seeds, strict=True):
        if len(values) > 1:
            _draw_seeds(axes, place, wide, values, paper)
    return [max(heights[number], *(edges[number] or (0.0,)), *seeds[number]) for number in range(count)]


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


def _label_bar(axes: Axes, place: float, text: str, top: float, paper: Paper, *, is_upright: bool) -> None:
    axes.annotate(
        text, (place, top), (0, 4), textcoords="offset points", ha="center", va="bottom", fontsize=paper.small,
        rotation=90 if is_upright else 0,
    )  # fmt: skip


def _label_groups(axes: Axes, bars: Bars, paper: Paper, room: float) -> None:
    """Name each group below it, and each bar by the number that its arm has in the legend."""
    most = min(LONGEST, int(72 * room / 0.8 * len(bars.values) / (LETTER * paper.small)))
    axes.set_xticks(range(len(bars.points)), [_wrap(point_name(point), most) for point in bars.points])
    axes.tick_params(length=0)
    if room < THIN or len(bars.values) < 2:
        return
    places = [place for at in range(len(bars.values)) for place in _places(bars, at)]
    numbers = [str(at + 1) for at in range(len(bars.values)) for _ in bars.points]
    axes.xaxis.remove_overlapping_locs = False  # the number of a bar in the middle of its group
    axes.set_xticks(places, numbers, minor=True, fontsize=paper.small)
    axes.tick_params(axis="x", which="minor", length=0, pad=2)
    axes.tick_params(axis="x", which="major", pad=4 + 1.4 * paper.small)


def _wrap(name: str, most: int) -> str:
    """Break a name that has more letters than fit under its group: between settings, then before a value."""
    lines = name.split(" ") if len(name) > most else [name]
    return "\n".join(line.replace("=", "=\n") if len(line) > most else line for line in lines)
