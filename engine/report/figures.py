"""The charts of a report: take plain numbers, give SVG or PDF that is the same byte for byte for the same numbers.

Text is drawn in INK, which the page's own colour takes the place of in HTML, so that charts suit light and dark.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from engine.report.sentences import say

INK = "#333333"
# Told apart by colour-blind readers (Petroff 2021, Accessible color sequences for data visualization).
PALETTE = tuple(to_hex(colour) for colour in matplotlib.color_sequences["petroff10"])
Point = tuple[int, float]
Piece = tuple[Point, ...]
DASH = 6.0  # points: how long each arm is seen where several lie on one another
WIDEST, THINNEST = 2.8, 1.2  # points: later lines are thinner, so that those just below them are seen on both sides
MARKED = 30  # epochs from which on points are not marked
MOST_NAMES = 24  # in a legend
LEAST_BIN = 5  # images: with fewer a share says nothing
STYLE: Any = {
    "svg.hashsalt": "xp", "svg.fonttype": "path", "font.size": 10, "font.family": "DejaVu Sans",
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "hatch.linewidth": 0.7,
    "savefig.facecolor": "none", "figure.facecolor": "none", "axes.facecolor": "none", "pdf.fonttype": 42,
    "lines.scale_dashes": False,
    "text.parse_math": False,  # names are text, and half a formula would be an error
}  # fmt: skip


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


@dataclass(frozen=True)
class Curves:
    """One line for each arm over epochs (counted from 1); recovery after pruning goes on where training ended.

    `pruned`: the epoch after which an arm was pruned, for arms that were. `notes` say what a reader must know.
    """

    name: str
    title: str
    unit: str
    lines: Mapping[str, Sequence[Point]]
    arms: Sequence[str] = field(default_factory=tuple)
    pruned: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = field(default_factory=tuple)

    def pieces(self, arm: str) -> list[Piece]:
        """Return the line of an arm up to its pruning and from there on; of one point where there is no more."""
        line, cut = tuple(self.lines.get(arm, ())), self.pruned.get(arm, math.inf)
        whole = tuple(point for point in line if point[0] <= cut)
        rest = whole[-1:] + tuple(point for point in line if point[0] > cut)
        return [piece for piece in (whole, rest) if len(piece) > 1] or ([line] if line else [])

    @cached_property
    def owners(self) -> Mapping[Piece, Sequence[str]]:
        """The arms that have a piece of the very same points: they would hide one another."""
        found: dict[Piece, list[str]] = {}
        for arm in self.lines:
            for piece in self.pieces(arm):
                found.setdefault(piece, []).append(arm)
        return found


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
        _draw_legend(figure, bars.values)
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


def draw_curves(curves: Curves) -> Figure:
    """Return the chart; lines that lie on one another are dashed in turn, and a cross marks where an arm was pruned."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.3), layout="constrained")
        axes = figure.add_subplot()
        for at, arm in enumerate(curves.arms or curves.lines):
            for number, piece in enumerate(curves.pieces(arm)):
                _draw_piece(axes, curves, arm, at, piece, is_named=number == 0)
            _mark_pruning(axes, curves, arm, at)
        axes.set_title(f"{curves.title} [{curves.unit}]" if curves.unit else curves.title, loc="left", fontsize=11)
        axes.set_xlabel("epoch, recovery included" if curves.pruned else "epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25, linewidth=0.6, color=INK)
        _draw_legend(figure, curves.lines)
        for handle in [handle for legend in figure.legends for handle in legend.legend_handles]:  # none of too many
            if isinstance(handle, Line2D):  # in the legend nothing lies on it
                handle.set_linestyle("-")
    return figure


def _draw_piece(axes: Axes, curves: Curves, arm: str, at: int, piece: Piece, *, is_named: bool) -> None:
    twins = curves.owners[piece]
    turn, count = twins.index(arm), len(twins)
    epochs, values = zip(*piece, strict=True)
    style: Any = "-" if count == 1 else (DASH * turn, (DASH, DASH * (count - 1)))
    wide = WIDEST - (WIDEST - THINNEST) * at / max(len(curves.arms or curves.lines) - 1, 1)
    axes.plot(
        epochs, values, label=arm if is_named else "_", color=colour_of(at), linestyle=style, linewidth=wide,
        marker="o" if len(piece) < MARKED else None, markersize=2 * wide + 1, markevery=(turn % len(piece), count),
    )  # fmt: skip


def _mark_pruning(axes: Axes, curves: Curves, arm: str, at: int) -> None:
    """Put a cross at the last point before an arm was pruned, those of several arms beside one another in size."""
    last = [point for point in curves.lines.get(arm, ()) if point[0] <= curves.pruned.get(arm, -1)][-1:]
    for epoch, value in last:
        before = [one for one in curves.pruned if one in curves.lines].index(arm)
        size = 9.0 + 4.0 * before
        axes.plot(epoch, value, marker="x", color=colour_of(at), markersize=size, markeredgewidth=1.8, label="_")


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
        _draw_legend(figure, chart.lines)
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


def _draw_legend(figure: Figure, names: Collection[str]) -> None:
    """Put as many names beside each other as the figure is wide enough for: matplotlib would cut the rest off.

    More than MOST_NAMES would leave no room for the chart, and colours come again after ten: their order is told.
    """
    if len(names) > MOST_NAMES:
        figure.supxlabel(say("many_names", count=len(names), colours=len(PALETTE)), fontsize=9)
        return
    entry = 0.55 + 0.08 * max(map(len, names), default=0)  # inches: the line before a name, and a letter
    columns = max(1, min(len(names), 4, int(figure.get_figwidth() / entry)))
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


@lru_cache(maxsize=32)
def to_svg(figure: Figure, salt: str) -> str:
    """Return the SVG element alone, without a date; `salt` keeps its ids apart from another chart's on one page.

    Drawn once for all formats of a report.
    """
    out = io.StringIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": f"xp {salt}"}), _boxes_for_glyphs():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def to_pdf(figure: Figure) -> bytes:
    out = io.BytesIO()
    with matplotlib.rc_context(STYLE), _boxes_for_glyphs():
        figure.savefig(out, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return out.getvalue()


@contextmanager
def _boxes_for_glyphs() -> Iterator[None]:
    """A name in letters that the font lacks is drawn in boxes; matplotlib would warn of each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def colour_of(at: int) -> str:
    return PALETTE[at % len(PALETTE)]


def short_number(value: float) -> str:
    """Return three digits, or the whole number from 100 on."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
