"""Accuracy against latency: takes arms as points with intervals, gives a chart on which no label lies on another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from engine.analysis.critical import Floats
from engine.analysis.fronts import SURE
from engine.report.charts.style import INK, MOST_NAMES, STYLE, PlacedFigure, colour_of

SHAPES = {"whole": "o", "smaller layers": "s", "mask": "^", "2:4 mask": "v", "quantised": "D", "pruned": "P"}
LOOKS = {"on the front": "filled: on the front", "open": "hollow: open", "behind it": "faint: behind it"}
FAINT = 0.35  # opacity
REACH = (9.0, 16.0, 26.0, 38.0, 54.0)  # points from a mark to its label, the nearest first
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
FLATTER = 0.8  # names are wide and low
AROUND = 1.5  # pixels
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

    width = 7.2  # inches, on paper as on a screen


def draw_front(front: Front) -> Figure:
    """Return the chart: filled marks are on the front, hollow ones may be, faint ones are not."""
    with matplotlib.rc_context(STYLE):
        figure = PlacedFigure(front.width, 4.6)
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
    for span, top in ((point.span, (point.right, point.right)), ((point.ms, point.ms), point.top)):
        if span is not None and top is not None:
            axes.plot(span, top, color=colour, linewidth=0.9, alpha=0.6 * alpha)
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
    """What is on the axes already, as boxes in pixels, float (boxes, 4): left, under, right, over; `names` grow.

    `scale`: pixels a point; `frame`: the box of the axes.
    """

    marks: Floats
    lines: Floats
    names: list[Floats]
    frame: Floats
    scale: float

    def costs(self, own: int, boxes: Floats, reaches: Floats) -> Floats:
        """Return what each place of the name of mark `own` costs: to lie on marks, names, whiskers, outside, or nearer
        to another mark than to its own."""
        is_out = np.any((boxes[:, :2] < self.frame[:2]) | (boxes[:, 2:] > self.frame[2:]), axis=1)
        covered = _overlaps(boxes, np.stack([*self.marks, *self.names]))
        gaps = _gaps(boxes, self.marks)
        is_strange = gaps.min(axis=1) < gaps[:, own]
        crossed = _overlaps(boxes, self.lines)
        found: Floats = 100 * covered + 200 * is_out + 8 * crossed + 30 * is_strange + reaches / 10
        return found


def _overlaps(boxes: Floats, others: Floats) -> Floats:
    """Return on how many of the others each box lies."""
    one, two = boxes[:, None], others[None]
    found: Floats = np.sum(
        np.all((one[..., :2] <= two[..., 2:]) & (two[..., :2] <= one[..., 2:]), axis=2), axis=1, dtype=float
    )
    return found


def _gaps(boxes: Floats, marks: Floats) -> Floats:
    """Return how far each box is from the middle of each mark."""
    middle = (marks[None, :, :2] + marks[None, :, 2:]) / 2
    away = np.maximum(0.0, np.maximum(boxes[:, None, :2] - middle, middle - boxes[:, None, 2:]))
    found: Floats = np.hypot(away[..., 0], away[..., 1])
    return found


def _place_labels(axes: Axes, points: Sequence[FrontPoint]) -> None:
    """Put each arm's name where it covers least. The best arms choose first, and of too many they alone are named."""
    scale = axes.figure.dpi / 72
    marks = np.array([_around(axes, point, HALF * scale) for point in points])
    lines = np.array([box for point in points for box in _whiskers(axes, point)])
    room = _Room(marks, lines, [], np.array(axes.get_window_extent().extents), scale)
    order = sorted(range(len(points)), key=lambda at: (-points[at].share, points[at].ms))
    if len(points) > MOST_NAMES:
        order = [at for at in order if points[at].share > 1 - SURE][:MOST_NAMES]
    for at in order:
        offset, box = _best_place(axes, points[at], room, at)
        room.names.append(box)
        _write(axes, points[at], offset)


def _best_place(axes: Axes, point: FrontPoint, room: _Room, at: int) -> tuple[tuple[float, float], Floats]:
    """Return the offset in points of the cheapest place of a name, and the box that it fills there."""
    label = _write(axes, point, (REACH[0], 0.0))
    size = label.get_window_extent()
    label.remove()
    offsets = [(reach * side[0], reach * side[1] * FLATTER) for reach, side in product(REACH, SIDES)]
    boxes = np.array([_box_at(room.marks[at], size.width, size.height, offset, room.scale) for offset in offsets])
    best = int(np.argmin(room.costs(at, boxes, np.repeat(REACH, len(SIDES)))))
    return offsets[best], boxes[best]


def _box_at(mark: Floats, width: float, height: float, offset: tuple[float, float], scale: float) -> list[float]:
    """Return the box of a name that is so far from its mark: on that side of it, or in the middle of it."""
    left = (mark[0] + mark[2]) / 2 + offset[0] * scale - width * {1: 0.0, -1: 1.0, 0: 0.5}[_sign(offset[0])]
    under = (mark[1] + mark[3]) / 2 + offset[1] * scale - height * {1: 0.0, -1: 1.0, 0: 0.5}[_sign(offset[1])]
    return [left - AROUND, under - AROUND, left + width + AROUND, under + height + AROUND]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _around(axes: Axes, point: FrontPoint, half: float) -> list[float]:
    x, y = axes.transData.transform((point.ms, point.right))
    return [x - half, y - half, x + half, y + half]


def _whiskers(axes: Axes, point: FrontPoint) -> Iterator[list[float]]:
    low, high = point.span or (point.ms, point.ms)
    bottom, top = point.top or (point.right, point.right)
    for ends in (((low, point.right), (high, point.right)), ((point.ms, bottom), (point.ms, top))):
        yield [float(value) for value in axes.transData.transform(ends).ravel()]


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
