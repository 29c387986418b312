"""Pictures of a page: charts for a screen and for print, and arms that have maps named once, in their order."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.report.charts.bars import Bars, draw_bars
from engine.report.charts.curves import Curves, draw_curves
from engine.report.charts.style import COLUMN, SCREEN
from engine.report.page import make_page
from engine.report.pictures import Chart, MapImage, draw_charts, map_arms, printed_charts
from tests.report.rows import make_rows, run_row


def test_arms_of_maps_are_named_once_in_their_order() -> None:
    maps = [MapImage(arm, "map_000.png", Path("map_000.png"), "cat", "") for arm in ("b", "a", "b")]
    assert map_arms({"one": maps[:2], "two": maps[2:]}) == ["b", "a"]


def test_a_column_of_print_has_all_bars_as_panels_of_one_figure() -> None:
    bars = [Bars(name, name.title(), "%", ("default",), {"a": (1.0,)}, notes=["Same."]) for name in ("one", "two")]
    other = Chart("curve", "Curve", partial(draw_curves, Curves("curve", "Curve", "", {"a": [(1, 2.0), (2, 1.0)]})))
    charts = [Chart(one.name, one.title, partial(draw_bars, one), bars=one) for one in bars]
    whole, rest = printed_charts([*charts, other])
    assert (whole.name, whole.title, whole.note, rest) == ("bars", "One, Two", "Same.", other)
    assert [axes.get_title(loc="left") for axes in whole.narrow.axes] == ["One [%]", "Two [%]"]
    assert printed_charts([charts[0], other]) == [charts[0], other], "one alone needs no panel"


def test_a_chart_is_broad_by_what_it_shows_without_being_drawn() -> None:
    many = {name: {f"{at}": (1.0,) for at in range(arms)} for name, arms in (("few", 2), ("many", 60))}
    bars = [Bars(name, name, "%", ("one",), values) for name, values in many.items()]
    charts = draw_charts(replace(make_page("study", make_rows([run_row("a", 0, test_top1=0.5)])), charts=bars))
    assert [chart.is_broad for chart in charts[:2]] == [False, True]
    assert not any("figure" in vars(chart) for chart in charts)


def test_a_chart_is_drawn_for_the_paper_it_is_seen_on() -> None:
    one = Bars("one", "One", "%", ("default",), {"a": (1.0,)})
    chart = Chart("one", "One", partial(draw_bars, one))
    assert (chart.figure.get_figwidth(), chart.narrow.get_figwidth()) == (SCREEN.width, COLUMN.width)
    assert not chart.is_broad
