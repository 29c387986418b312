"""What all charts share: colours, numbers of three digits, legends that fit and names that are text."""

from __future__ import annotations

import pytest

from engine.report.charts.bars import Bars, draw_bars
from engine.report.charts.curves import Curves, draw_curves
from engine.report.charts.files import to_svg
from engine.report.charts.style import PALETTE, break_name, colour_of, mark_of, short_number


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


def test_a_legend_of_more_names_than_fit_is_left_out_and_that_is_told() -> None:
    """Two figures of a hundred arms: nothing is squeezed to nothing, of which matplotlib would warn."""
    arms = {f"arm{number:03d}": [0.5 + number / 500] for number in range(100)}
    drawn = to_svg(draw_bars(Bars("a", "Accuracy", "%", ["default"], arms)), "a")
    assert drawn.startswith("<svg")
    figure = draw_bars(Bars("a", "Accuracy", "%", ["default"], arms))
    assert figure.legends == []
    assert figure.get_supxlabel() == "100 of them, in the order of the tables; colours come again after 10"
    few = dict(list(arms.items())[:24])
    assert len(draw_bars(Bars("a", "A", "%", ["default"], few)).legends) == 1


def test_no_two_of_a_hundred_arms_look_alike() -> None:
    assert len({(colour_of(at), mark_of(at)) for at in range(110)}) == 110
    assert len({mark_of(at) for at in range(9)}) == 9, "in grey, too, the ninth arm is not the first"


@pytest.mark.parametrize(
    ("name", "lines"),
    [("short", ["short"]), ("longformer_pruned_twice", ["longformer_", "pruned_twice"]),
     ("x" * 30, ["x" * 12, "x" * 12, "x" * 6])],
)  # fmt: skip
def test_a_long_name_is_broken_where_its_words_end(name: str, lines: list[str]) -> None:
    assert break_name(name, 12).split("\n") == lines
