"""Curves in letters: takes series of points, gives lines of text; a letter holds two by four dots (Braille patterns).

Points between which a line runs are joined, and what is not finite is a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

BLANK = 0x2800
# The bit of each dot of a letter, by column and row from the top.
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
LABEL = 8  # letters left of the drawing
Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    name: str
    style: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Frame:
    """What a drawing shows: the least and greatest of each axis; never a single value."""

    left: float
    right: float
    low: float
    high: float

    @classmethod
    def around(cls, points: Sequence[Point]) -> Frame:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return cls(*_apart(min(xs), max(xs)), *_apart(min(ys), max(ys)))


def _apart(low: float, high: float) -> tuple[float, float]:
    if high > low:
        return low, high
    room = abs(low) / 10 or 1.0
    return low - room, high + room


def draw_chart(title: str, series: Sequence[Series], width: int, height: int) -> list[Text]:
    """Return `height` lines of `width` letters: a title with the names, the curves, and the ends of both axes."""
    fine = [Series(one.name, one.style, tuple(_finite(one.points))) for one in series]
    points = [point for one in fine for point in one.points]
    head = Text(title, "bold")
    for one in fine:
        if one.points:
            head.append(f"  {one.name} {number_text(one.points[-1][1])}", one.style)
    if not points:
        return [head, Text("  nothing was logged yet", "dim")]
    frame, columns, rows = Frame.around(points), max(4, width - LABEL - 1), max(2, height - 2)
    canvas = Canvas(columns, rows)
    for one in fine:
        canvas.draw(one, frame)
    left, right = number_text(frame.left), number_text(frame.right)
    foot = " " * (LABEL + 1) + left + right.rjust(columns - len(left))
    return [head, *_with_labels(canvas.lines(), frame), Text(foot, "dim")]


def _finite(points: Sequence[Point]) -> Iterator[Point]:
    return (point for point in points if math.isfinite(point[0]) and math.isfinite(point[1]))


def _with_labels(lines: Sequence[Text], frame: Frame) -> Iterator[Text]:
    for at, line in enumerate(lines):
        value = frame.high if at == 0 else frame.low if at == len(lines) - 1 else None
        label = "" if value is None else number_text(value)
        yield Text(f"{label:>{LABEL}} ", "dim").append_text(line)


def number_text(value: float) -> str:
    return f"{value:.4g}"


class Canvas:
    """Letters of dots; one that several series cross has the colour of the last."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.bits = [[0] * columns for _ in range(rows)]
        self.styles = [[""] * columns for _ in range(rows)]

    def draw(self, series: Series, frame: Frame) -> None:
        dots = [self._place(point, frame) for point in series.points]
        for one, other in zip(dots, dots[1:] or dots, strict=False):
            for x, y in _between(one, other):
                self._set(x, y, series.style)

    def _place(self, point: Point, frame: Frame) -> tuple[int, int]:
        across = (point[0] - frame.left) / (frame.right - frame.left)
        down = (frame.high - point[1]) / (frame.high - frame.low)
        return round(across * (2 * self.columns - 1)), round(down * (4 * self.rows - 1))

    def _set(self, x: int, y: int, style: str) -> None:
        self.bits[y // 4][x // 2] |= DOTS[x % 2][y % 4]
        self.styles[y // 4][x // 2] = style

    def lines(self) -> list[Text]:
        return [
            Text.assemble(*((chr(BLANK + bits), style) for bits, style in zip(*row, strict=True)))
            for row in zip(self.bits, self.styles, strict=True)
        ]


def _between(one: tuple[int, int], other: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the dots of a line, both ends included."""
    (x, y), (to_x, to_y) = one, other
    steps = max(abs(to_x - x), abs(to_y - y), 1)
    for step in range(steps + 1):
        yield round(x + (to_x - x) * step / steps), round(y + (to_y - y) * step / steps)
