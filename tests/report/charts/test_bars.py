"""Grouped bars, read back from their axes: heights, whiskers, units and names are the numbers given."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure

from engine.report.charts.bars import Bars, draw_bars, draw_panels
from engine.report.charts.style import COLUMN, PALETTE, SCREEN, Paper
from tests.report.charts.samples import BARS


def bars_of(figure: Figure) -> list[BarContainer]:
    return [one for one in figure.axes[0].containers if isinstance(one, BarContainer)]


def whiskers(figure: Figure) -> list[list[tuple[float, float]]]:
    """The lower and upper end of each whisker, by arm."""
    found = [one for one in figure.axes[0].containers if isinstance(one, ErrorbarContainer)]
    return [[(float(part[0][1]), float(part[1][1])) for part in one.lines[2][0].get_segments()] for one in found]


def words_above(axes: Axes) -> list[tuple[str, float]]:
    return [(text.get_text(), float(text.xy[1])) for text in axes.texts]  # type: ignore[attr-defined]


def test_bars_have_the_heights_of_their_values() -> None:
    figure = draw_bars(BARS)
    heights = {str(one.get_label()): [bar.get_height() for bar in one.patches] for one in bars_of(figure)}
    assert heights == {"plain": [60.0, 61.5], "pruned": [55.25, 0.0]}
    assert all(bar.get_y() == 0 for one in bars_of(figure) for bar in one.patches)
    assert figure.axes[0].get_title(loc="left") == "Test accuracy [%]"


def test_whiskers_reach_from_edge_to_edge_where_there_are_any() -> None:
    assert whiskers(draw_bars(BARS)) == [[(58.0, 61.5)], [(54.0, 56.0)]]


def test_without_intervals_there_are_no_whiskers() -> None:
    assert whiskers(draw_bars(Bars("a", "A", "%", ("default",), {"plain": (60.0,)}))) == []


def test_seeds_are_points_beside_their_bar() -> None:
    points = [line for line in draw_bars(BARS).axes[0].lines if line.get_marker() == "o"]
    assert [np.asarray(line.get_ydata()).tolist() for line in points] == [[59.0, 61.0]]


def test_each_bar_says_its_number_above_all_that_stands_on_it() -> None:
    said = words_above(draw_bars(BARS).axes[0])
    assert said == [("60.0", 61.5), ("61.5", 61.5), ("55.2", 56.0), ("none", 0.0)]


def test_the_axis_of_values_begins_at_zero_and_has_room_for_the_numbers() -> None:
    low, high = draw_bars(BARS).axes[0].get_ylim()
    assert low == 0
    assert high > 1.05 * 61.5


def test_each_bar_has_the_number_of_its_arm_in_the_legend() -> None:
    figure = draw_bars(BARS)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels(minor=True)] == ["1", "1", "2", "2"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1 plain", "2 pruned"]


@pytest.mark.parametrize("paper", [SCREEN, COLUMN], ids=["screen", "column"])
@pytest.mark.parametrize("arms", [2, 9])
def test_numbers_stand_clear_of_titles_whiskers_and_each_other(paper: Paper, arms: int) -> None:
    """Nine arms at two points with long whiskers, drawn: no number covers another, a whisker or the title."""
    names = [f"arm{number}" for number in range(arms)]
    bars = Bars(
        "a", "Accuracy", "%", ("one", "two"), dict.fromkeys(names, (60.0, 61.0)),
        dict.fromkeys(names, ((55.0, 66.0), (58.0, 64.0))), dict.fromkeys(names, ((59.0, 61.0), ())),
    )  # fmt: skip
    figure = draw_panels([bars] * 4, paper)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))
        title = axes._left_title.get_window_extent()  # type: ignore[attr-defined]  # no public reader
        assert not any(box.overlaps(title) for box in boxes)
        tops = [axes.transData.transform((0.0, top))[1] for top in (66.0, 64.0)]
        assert all(box.y0 > top for box, top in zip(boxes, tops * arms, strict=True))


def test_long_numbers_of_ten_arms_stand_clear_of_each_other() -> None:
    """In room for four letters a bar: six stand upright."""
    figure = draw_bars(Bars("a", "Memory", "MB", ("one",), {f"arm{at}": (10300.0 + at,) for at in range(10)}))
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))


def test_panels_of_a_column_are_85_mm_wide_with_letters_of_seven_points() -> None:
    figure = draw_panels([BARS, BARS], COLUMN)
    assert figure.get_figwidth() == pytest.approx(85 / 25.4)
    texts = [text for axes in figure.axes for text in (*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels())]
    assert min(float(text.get_fontsize()) for text in (*texts, *figure.legends[0].get_texts())) >= 7
    assert len(figure.legends) == 1


def test_bars_of_a_group_stand_side_by_side_around_it() -> None:
    plain, pruned = ([bar.get_x() + bar.get_width() / 2 for bar in one.patches] for one in bars_of(draw_bars(BARS)))
    assert plain == pytest.approx([-0.2, 0.8])
    assert pruned == pytest.approx([0.2, 1.2])
    assert bars_of(draw_bars(BARS))[0].patches[0].get_width() == pytest.approx(0.36)


def test_only_pruned_arms_are_hatched_and_each_has_its_colour() -> None:
    one, two = bars_of(draw_bars(BARS))
    assert [bar.get_hatch() for bar in (*one.patches, *two.patches)] == [None, None, "///", "///"]
    assert [to_hex(bars.patches[0].get_facecolor()) for bars in (one, two)] == list(PALETTE[:2])


def test_groups_are_named_by_their_points() -> None:
    figure = draw_bars(BARS)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["split=60/20/20", "two"]
    long = Bars("a", "A", "%", ("a point with a very long name", "default"), {"a": (1, 1)})
    names = [tick.get_text() for tick in draw_bars(long).axes[0].get_xticklabels()]
    assert names == ["a\npoint\nwith\na\nvery\nlong\nname", ""]


@pytest.mark.parametrize("paper", [SCREEN, COLUMN])
def test_names_of_groups_do_not_touch_each_other(paper: Paper) -> None:
    rates = tuple(f"train.lr={rate}" for rate in (0.0005, 0.001, 0.002, 0.004, 0.008))
    figure = draw_bars(Bars("a", "A", "%", rates, dict.fromkeys("abcd", (1.0,) * 5)), paper)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    boxes = [tick.get_window_extent().expanded(1.05, 1) for tick in figure.axes[0].get_xticklabels()]
    assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))


def test_a_chart_without_one_value_is_empty() -> None:
    assert not BARS.is_empty
    assert Bars("a", "A", "%", ("one",), {"a": (None,), "b": (None,)}).is_empty
    assert not Bars("a", "A", "%", ("one",), {"a": (None,), "b": (0.0,)}).is_empty


@pytest.mark.parametrize("arms", [2, 40, 200])
def test_it_says_how_wide_it_is_on_a_screen(arms: int) -> None:
    bars = Bars("a", "Memory", "MB", ("one",), {f"arm{at}": (1.0,) for at in range(arms)})
    assert draw_bars(bars).get_figwidth() == pytest.approx(bars.width)
    assert SCREEN.width <= bars.width <= 11
