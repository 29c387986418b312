"""Grouped bars, read back from their axes: heights, whiskers, units and names are the numbers given."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure

from engine.report.charts.bars import Bars, draw_bars
from engine.report.charts.style import PALETTE
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


def test_whiskers_are_one_standard_deviation_each_way() -> None:
    assert whiskers(draw_bars(BARS)) == [[(58.5, 61.5), (61.5, 61.5)], [(54.75, 55.75), (0.0, 0.0)]]


def test_without_spread_there_are_no_whiskers() -> None:
    figure = draw_bars(Bars("a", "A", "%", ("default",), {"plain": (60.0,)}, {"plain": (None,)}))
    assert whiskers(figure) == []


def test_each_bar_says_its_number_above_its_whisker() -> None:
    said = words_above(draw_bars(BARS).axes[0])
    assert said == [("60.0", 61.5), ("61.5", 61.5), ("55.2", 55.75), ("none", 0.0)]


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
    long = Bars("a", "A", "%", ("a point with a very long name", "default"), {"a": (1, 1)}, {"a": (None, None)})
    names = [tick.get_text() for tick in draw_bars(long).axes[0].get_xticklabels()]
    assert names == ["a\npoint\nwith\na\nvery\nlong\nname", ""]


def test_a_chart_without_one_value_is_empty() -> None:
    assert not BARS.is_empty
    assert Bars("a", "A", "%", ("one",), {"a": (None,), "b": (None,)}, {}).is_empty
    assert not Bars("a", "A", "%", ("one",), {"a": (None,), "b": (0.0,)}, {}).is_empty
