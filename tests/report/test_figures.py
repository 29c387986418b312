"""The charts, read back from their axes: heights, whiskers, epochs, units and legends are the numbers given."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure

from engine.report.figures import (
    DASH,
    INK,
    PALETTE,
    Bars,
    Curves,
    Reliability,
    ReliabilityLine,
    colour_of,
    draw_bars,
    draw_curves,
    draw_reliability,
    short_number,
    to_pdf,
    to_svg,
)

BARS = Bars(
    name="accuracy", title="Test accuracy", unit="%", points=("data.split=60/20/20", "two"),
    values={"plain": (60.0, 61.5), "pruned": (55.25, None)}, stds={"plain": (1.5, None), "pruned": (0.5, None)},
    hatched=frozenset({"pruned"}),
)  # fmt: skip


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


def lines_of(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in axes.lines
    }


def test_curves_go_through_their_epochs_and_values() -> None:
    lines = {"b": [(1, 50.0), (2, 60.0)], "a": [(1, 40.0), (3, 55.0)]}
    figure = draw_curves(Curves("curve", "Validation accuracy", "%", lines, ("a", "gone", "b")))
    axes = figure.axes[0]
    assert lines_of(axes) == {"a": ([1, 3], [40.0, 55.0]), "b": ([1, 2], [50.0, 60.0])}
    assert axes.get_title(loc="left") == "Validation accuracy [%]"
    assert axes.get_xlabel() == "epoch"
    assert [to_hex(line.get_color()) for line in axes.lines] == [PALETTE[0], PALETTE[2]], "an arm keeps its colour"


def test_a_curve_without_unit_has_a_bare_title() -> None:
    axes = draw_curves(Curves("curve", "Training loss", "", {"a": [(1, 2.0), (2, 1.0)]})).axes[0]
    assert axes.get_title(loc="left") == "Training loss"
    assert list(lines_of(axes)) == ["a"]


def test_lines_that_lie_on_one_another_are_dashed_in_turn() -> None:
    """Two of three arms are the same: each is seen in its colour, and the third is drawn through."""
    same, other = [(1, 50.0), (2, 60.0)], [(1, 40.0), (2, 55.0)]
    axes = draw_curves(Curves("c", "A", "%", {"a": same, "b": other, "c": same})).axes[0]
    dashes = {str(line.get_label()): line._unscaled_dash_pattern for line in axes.lines}  # type: ignore[attr-defined]
    assert dashes["b"] == (0, None)
    assert dashes["a"][1] == dashes["c"][1] == (DASH, DASH)
    assert dashes["a"][0] != dashes["c"][0], "where one is seen the other is not"


def test_a_pruned_arm_has_a_cross_where_it_was_pruned_and_goes_on_from_there() -> None:
    whole, rest = [(1, 50.0), (2, 60.0)], [(3, 40.0), (4, 55.0)]
    drawn = Curves("c", "A", "%", {"a": whole, "cut": whole + rest}, ("a", "cut"), {"cut": 2})
    assert drawn.pieces("cut") == [tuple(whole), ((2, 60.0), *rest)]
    axes = draw_curves(drawn).axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses] == [(2, 60.0)]  # type: ignore[index]
    assert to_hex(crosses[0].get_color()) == PALETTE[1]
    assert axes.get_xlabel() == "epoch, recovery included"
    assert [line.get_linestyle() for line in draw_curves(drawn).legends[0].get_lines()] == ["-", "-"]
    legend = [text.get_text() for text in draw_curves(drawn).legends[0].get_texts()]
    assert legend == ["a", "cut"], "one entry for each arm"


def test_a_line_that_lies_just_below_another_is_seen_on_both_sides() -> None:
    lines = {arm: [(1, 50.0), (2, 60.0 + at / 1000)] for at, arm in enumerate("abc")}
    widths = [line.get_linewidth() for line in draw_curves(Curves("c", "A", "%", lines)).axes[0].lines]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


def test_a_line_of_one_point_is_drawn() -> None:
    drawn = Curves("c", "A", "", {"a": [(1, 2.0), (2, 1.0)], "b": [(1, 2.0)]})
    assert drawn.pieces("b") == [((1, 2.0),)]
    assert [str(line.get_label()) for line in draw_curves(drawn).axes[0].lines] == ["a", "b"]


@pytest.mark.parametrize(("epochs", "marker"), [(29, "o"), (30, "None")])
def test_long_curves_have_no_markers(epochs: int, marker: str) -> None:
    line = [(epoch, 1.0) for epoch in range(1, epochs + 1)]
    assert draw_curves(Curves("curve", "A", "", {"a": line})).axes[0].lines[0].get_marker() == marker


COUNTS = (4.0, 0.0, 5.0, 11.0)
LINE = ReliabilityLine(COUNTS, accuracy=(0.9, 0.0, 0.6, 0.7), confidence=(0.2, 0.0, 0.65, 0.9))


def test_reliability_is_accuracy_over_confidence_of_full_bins() -> None:
    left, _ = draw_reliability(Reliability("r", "R", {"vit": LINE})).axes
    lines = lines_of(left)
    assert lines["vit"] == ([0.65, 0.9], [0.6, 0.7]), "bins of fewer than five images say nothing"
    assert [0, 1] in [x for x, _ in lines.values()], "the diagonal, on which sure is right"
    assert all(x == y for name, (x, y) in lines.items() if name != "vit")
    assert left.get_title(loc="left") == "Accuracy by confidence"
    assert left.get_ylim()[0] == 0


def test_two_panels_fit_the_width_of_a_page() -> None:
    wide, high = draw_reliability(Reliability("r", "R", {"vit": LINE})).get_size_inches()
    assert 2 * high <= wide <= 10


def test_points_of_a_reliability_diagram_grow_with_their_images() -> None:
    left, _ = draw_reliability(Reliability("r", "R", {"vit": LINE})).axes
    (points,) = left.collections
    assert np.asarray(points.get_offsets()).tolist() == [[0.65, 0.6], [0.9, 0.7]]
    assert list(points.get_sizes()) == pytest.approx([12 + 60 * 5 / 11, 72])  # type: ignore[attr-defined]


def test_the_histogram_of_confidence_is_in_per_cent_of_all_images() -> None:
    _, right = draw_reliability(Reliability("r", "R", {"vit": LINE})).axes
    (steps,) = right.patches
    values, edges, _ = steps.get_data()  # type: ignore[attr-defined]
    assert list(values) == pytest.approx([20.0, 0.0, 25.0, 55.0])
    assert list(edges) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert right.get_title(loc="left") == "How often each confidence [%]"
    assert (right.get_xlim(), right.get_xlabel()) == ((0.0, 1.0), "confidence")


def test_a_teacher_of_small_bins_alone_has_no_points() -> None:
    thin = ReliabilityLine((4.0, 3.0), (0.5, 0.5), (0.2, 0.8))
    left, _ = draw_reliability(Reliability("r", "R", {"vit": thin})).axes
    assert lines_of(left)["vit"] == ([], [])


def test_a_legend_names_all_in_as_many_columns_as_fit() -> None:
    def columns(names: tuple[str, ...]) -> int:
        lines = {name: [(1, 1.0), (2, 1.0)] for name in names}
        (legend,) = draw_curves(Curves("c", "A", "", lines)).legends
        assert [text.get_text() for text in legend.get_texts()] == list(names)
        return int(legend._ncols)  # type: ignore[attr-defined]  # no public reader

    assert columns(("a", "b")) == 2
    assert columns(tuple("abcdef")) == 4
    assert columns(("a name of thirty letters, as of", "another")) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (60.314, "60.3"), (6.0314, "6.03"), (0.06031, "0.0603"), (1234.6, "1,235"), (-5.55, "-5.55"),
     (float("inf"), "inf"), (100.0, "100")],
)  # fmt: skip
def test_short_numbers_have_three_digits(value: float, text: str) -> None:
    assert short_number(value) == text


def test_colours_begin_again_after_the_last() -> None:
    assert [colour_of(at) for at in (0, 9, 10)] == [PALETTE[0], PALETTE[9], PALETTE[0]]
    assert len(set(PALETTE)) == 10


def test_files_of_a_chart_hold_no_date_and_its_own_ids() -> None:
    def chart() -> Figure:
        return draw_bars(BARS)

    one, other = to_svg(chart(), "one"), to_svg(chart(), "other")
    assert one.startswith("<svg")
    assert one == to_svg(chart(), "one") != other
    assert INK in one
    ids = [set(re.findall(r'clipPath id="(\w+)"', text)) for text in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1], "two charts on one page must not cut each other"
    assert to_pdf(chart()).startswith(b"%PDF")
    assert to_pdf(chart()) == to_pdf(chart())
    assert b"CreationDate" not in to_pdf(chart())


@pytest.mark.parametrize("name", ["$HOME/$x", "a $\\frac{1}$ b", "数据", "\u05e9\u05dc", "_a", "%s \\n"])
def test_any_name_is_drawn_as_text(name: str) -> None:
    figure = draw_bars(Bars("a", "A", "%", (name, "two"), {"a": (1.0, 2.0)}, {"a": (None, None)}))
    assert next(text.get_text() for text in figure.axes[0].get_xticklabels()) == name
    assert to_svg(figure, "a").startswith("<svg")
    assert to_pdf(figure).startswith(b"%PDF")


def test_a_legend_of_more_names_than_fit_is_left_out_and_that_is_told() -> None:
    """Two figures of a hundred arms: nothing is squeezed to nothing, of which matplotlib would warn."""
    arms = {f"arm{number:03d}": [0.5 + number / 500] for number in range(100)}
    drawn = to_svg(draw_bars(Bars("a", "Accuracy", "%", ["default"], arms, {arm: [0.1] for arm in arms})), "a")
    assert drawn.startswith("<svg")
    figure = draw_bars(Bars("a", "Accuracy", "%", ["default"], arms, {arm: [0.0] for arm in arms}))
    assert figure.legends == []
    assert figure.get_supxlabel() == "100 of them, in the order of the tables; colours come again after 10"
    few = dict(list(arms.items())[:24])
    assert len(draw_bars(Bars("a", "A", "%", ["default"], few, {arm: [0.0] for arm in few})).legends) == 1
