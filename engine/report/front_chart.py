"""Accuracy against latency: takes arms as points with intervals, gives a chart on which no label lies on another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from engine.analysis.fronts import SURE
from engine.report.figures import INK, MOST_NAMES, STYLE, colour_of

SHAPES = {"whole": "o", "smaller layers": "s", "mask": "^", "2:4 mask": "v", "quantised": "D", "pruned": "P"}
LOOKS = {"on the front": "filled: on the front", "open": "hollow: open", "behind it": "faint: behind it"}
FAINT = 0.35  # opacity
REACH = (9.0, 16.0, 26.0, 38.0, 54.0)  # points from a mark to its label, the nearest first
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
FLATTER = 0.8  # names are wide and low
HALF = 6.0  # points: of a mark with its edge
NEAR = 12.0  # points: a label that is farther gets a line to its mark


@dataclass(frozen=True)
class FrontPoint:
    """An arm: its milliseconds and per cent right, each with an interval if there is one; `place` decides its colour,
    and `share` is in how many of the draws it is on the front."""

    arm: str
    place: int
    kind: str
    ms: float
    span: tuple[float, float] | None
    right: float
    top: tuple[float, float] | None
    share: float

    @property
    def standing(self) -> str:
        return "on the front" if self.share >= SURE else "behind it" if self.share <= 1 - SURE else "open"


@dataclass(frozen=True)
class Front:
    """Arms by accuracy and latency; `notes` say what a reader must know."""

    name: str
    title: str
    across: str
    up: str
    points: Sequence[FrontPoint]
    notes: Sequence[str] = ()


def draw_front(front: Front) -> Figure:
    """Return the chart: filled marks are on the front, hollow ones may be, faint ones are not."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        FigureCanvasAgg(figure)  # whose renderer says how wide a text is
        axes = figure.add_subplot()
        _draw_means(axes, front.points)
        for point in front.points:
            _draw_point(axes, point)
        axes.set_title(front.title, loc="left", fontsize=11)
        axes.set_xlabel(front.across)
        axes.set_ylabel(front.up)
        axes.margins(0.12, 0.1)
        axes.grid(alpha=0.25, linewidth=0.6, color=INK)
        _draw_legend(figure, front.points)
        figure.draw_without_rendering()
        _place_labels(axes, front.points)
    return figure


def _draw_means(axes: Axes, points: Sequence[FrontPoint]) -> None:
    """Draw the front of the means as stairs."""
    best = [one for one in points if not any(_is_better(other, one) for other in points)]
    best.sort(key=lambda one: one.ms)
    axes.step(
        [one.ms for one in best], [one.right for one in best], where="post", color=INK, linewidth=0.8, linestyle=":"
    )


def _is_better(one: FrontPoint, other: FrontPoint) -> bool:
    return one.ms <= other.ms and one.right >= other.right and (one.ms, one.right) != (other.ms, other.right)


def _draw_point(axes: Axes, point: FrontPoint) -> None:
    colour, standing = colour_of(point.place), point.standing
    alpha = FAINT if standing == "behind it" else 1.0
    axes.errorbar(
        point.ms, point.right,
        xerr=None if point.span is None else [[point.ms - point.span[0]], [point.span[1] - point.ms]],
        yerr=None if point.top is None else [[point.right - point.top[0]], [point.top[1] - point.right]],
        fmt="none", ecolor=colour, elinewidth=0.9, alpha=0.6 * alpha, capsize=0,
    )  # fmt: skip
    axes.plot(
        point.ms, point.right, marker=SHAPES.get(point.kind, "P"), markersize=8, color=colour, alpha=alpha,
        markerfacecolor=colour if standing != "open" else "none", markeredgewidth=1.6, linestyle="none",
    )  # fmt: skip


def _draw_legend(figure: Figure, points: Sequence[FrontPoint]) -> None:
    kinds = [kind for kind in SHAPES if any(point.kind == kind for point in points)]
    standings = [word for word in LOOKS if any(one.standing == word for one in points)]
    handles = [_mark(SHAPES[kind], "none", 1.0, kind) for kind in kinds]
    handles += [
        _mark("o", "none" if word == "open" else INK, FAINT if word == "behind it" else 1.0, LOOKS[word])
        for word in standings
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False, fontsize=9)


def _mark(shape: str, face: str, alpha: float, label: str) -> Line2D:
    return Line2D(
        [], [], marker=shape, markersize=7, color=INK, markerfacecolor=face, alpha=alpha, linestyle="none", label=label
    )  # fmt: skip


@dataclass(frozen=True)
class _Room:
    """What is on the axes already, in pixels: marks by arm, whiskers, names, and the frame; `scale`: pixels a point."""

    marks: Mapping[str, Bbox]
    lines: Sequence[Bbox]
    names: list[Bbox]
    frame: Bbox
    scale: float

    def cost(self, arm: str, box: Bbox, reach: float) -> float:
        """Return what a place of an arm's name costs: to lie on marks, names, whiskers, outside, or nearer to another
        mark than to its own."""
        frame, gaps = self.frame, {name: _gap(box, mark) for name, mark in self.marks.items()}
        is_out = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
        covered = sum(box.overlaps(other) for other in (*self.marks.values(), *self.names))
        crossed = sum(box.overlaps(other) for other in self.lines)
        is_strange = any(gap < gaps[arm] for gap in gaps.values())
        return float(100 * covered + 200 * is_out + 8 * crossed + 30 * is_strange + reach / 10)


def _place_labels(axes: Axes, points: Sequence[FrontPoint]) -> None:
    """Put each arm's name where it covers least. The best arms choose first, and of too many they alone are named."""
    scale = axes.figure.dpi / 72
    marks = {point.arm: _around(axes, point, HALF * scale) for point in points}
    lines = [box for point in points for box in _whiskers(axes, point)]
    room = _Room(marks, lines, [], axes.get_window_extent(), scale)
    order = sorted(points, key=lambda one: (-one.share, one.ms))
    for point in order if len(points) <= MOST_NAMES else [one for one in order if one.share > 1 - SURE][:MOST_NAMES]:
        offset, box = _best_place(axes, point, room)
        room.names.append(box)
        _write(axes, point, offset)


def _best_place(axes: Axes, point: FrontPoint, room: _Room) -> tuple[tuple[float, float], Bbox]:
    """Return the offset in points of the cheapest place of a name, and the box that it fills there."""
    label = _write(axes, point, (REACH[0], 0.0))
    size = label.get_window_extent()
    label.remove()
    found: list[tuple[float, int, tuple[float, float], Bbox]] = []
    for reach, side in product(REACH, SIDES):
        offset = (reach * side[0], reach * side[1] * FLATTER)
        box = _box_at(room.marks[point.arm], size, offset, room.scale)
        found.append((room.cost(point.arm, box, reach), len(found), offset, box))
    _, _, offset, box = min(found, key=lambda one: one[:2])
    return offset, box


def _box_at(mark: Bbox, size: Bbox, offset: tuple[float, float], scale: float) -> Bbox:
    """Return the box of a name that is so far from its mark: on that side of it, or in the middle of it."""
    x, y = (mark.x0 + mark.x1) / 2 + offset[0] * scale, (mark.y0 + mark.y1) / 2 + offset[1] * scale
    left = x - size.width * {1: 0.0, -1: 1.0, 0: 0.5}[_sign(offset[0])]
    under = y - size.height * {1: 0.0, -1: 1.0, 0: 0.5}[_sign(offset[1])]
    return Bbox.from_bounds(left, under, size.width, size.height).padded(1.5)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _gap(box: Bbox, mark: Bbox) -> float:
    """Return how far a box is from the middle of a mark."""
    x, y = (mark.x0 + mark.x1) / 2, (mark.y0 + mark.y1) / 2
    return math.hypot(max(box.x0 - x, 0.0, x - box.x1), max(box.y0 - y, 0.0, y - box.y1))


def _around(axes: Axes, point: FrontPoint, half: float) -> Bbox:
    x, y = axes.transData.transform((point.ms, point.right))
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _whiskers(axes: Axes, point: FrontPoint) -> Iterator[Bbox]:
    low, high = point.span or (point.ms, point.ms)
    bottom, top = point.top or (point.right, point.right)
    for ends in (((low, point.right), (high, point.right)), ((point.ms, bottom), (point.ms, top))):
        (left, under), (right, over) = axes.transData.transform(ends)
        yield Bbox.from_extents(left, under, right, over)


def _write(axes: Axes, point: FrontPoint, offset: tuple[float, float]) -> Annotation:
    across = {1: "left", -1: "right", 0: "center"}[_sign(offset[0])]
    up = {1: "bottom", -1: "top", 0: "center"}[_sign(offset[1])]
    line = {"arrowstyle": "-", "color": colour_of(point.place), "linewidth": 0.8, "shrinkA": 0, "shrinkB": 4}
    label = axes.annotate(
        point.arm, (point.ms, point.right), offset, textcoords="offset points", ha=across, va=up, fontsize=8,
        alpha=0.7 if point.standing == "behind it" else 1.0,
        arrowprops=line if max(map(abs, offset)) > NEAR else None,
    )  # fmt: skip
    label.set_in_layout(False)
    return label
