"""Curves in letters: dots lie where values do, gaps are gaps, and a drawing has the size it was asked for."""

from __future__ import annotations

import math

import pytest

from engine.cli.braille import BLANK, Canvas, Frame, Series, draw_chart

SERIES = Series("loss", "cyan", tuple((float(x), 10.0 - x) for x in range(11)))


def dots(canvas: Canvas) -> list[str]:
    return [line.plain for line in canvas.lines()]


def test_a_line_runs_from_the_upper_left_to_the_lower_right() -> None:
    canvas = Canvas(4, 2)
    canvas.draw(SERIES, Frame.around(SERIES.points))
    assert dots(canvas) == ["⠑⢄⠀⠀", "⠀⠀⠑⢄"]


def test_dots_of_two_curves_share_a_letter() -> None:
    canvas = Canvas(1, 1)
    for y in (0.0, 1.0):
        canvas.draw(Series("a", "", ((0.0, y), (1.0, y))), Frame(0.0, 1.0, 0.0, 1.0))
    assert dots(canvas) == [chr(BLANK + 0x01 + 0x08 + 0x40 + 0x80)]


@pytest.mark.parametrize(("width", "height"), [(20, 4), (80, 24), (200, 50)])
def test_a_chart_is_as_large_as_was_asked(width: int, height: int) -> None:
    lines = draw_chart("loss", [SERIES], width, height)
    assert len(lines) == height
    assert {len(line.plain) for line in lines[1:]} == {width}


def test_a_chart_names_its_curves_with_their_last_value_and_the_ends_of_its_axes() -> None:
    lines = [line.plain for line in draw_chart("train", [SERIES], 30, 6)]
    assert lines[0] == "train  loss 0"
    assert lines[1].split()[0] == "10"
    assert lines[4].split()[0] == "0"
    assert lines[5].split() == ["0", "10"]


def test_what_is_not_finite_is_left_out() -> None:
    holes = Series("loss", "", ((0.0, 1.0), (1.0, math.nan), (2.0, math.inf), (3.0, 2.0)))
    assert draw_chart("x", [holes], 20, 4)[0].plain == "x  loss 2"


def test_nothing_logged_is_said() -> None:
    for points in ((), ((0.0, math.nan),)):
        assert draw_chart("x", [Series("loss", "", points)], 20, 4)[1].plain.strip() == "nothing was logged yet"


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_a_single_point_has_room_around_it(value: float) -> None:
    frame = Frame.around([(1.0, value)])
    assert frame.left < 1.0 < frame.right
    assert frame.low < value < frame.high
    assert len(draw_chart("x", [Series("loss", "", ((1.0, value),))], 20, 5)) == 5
