"""Files of charts: the same bytes for the same numbers, without a date, and any name drawn as text."""

from __future__ import annotations

import re

import pytest
from matplotlib.figure import Figure

from engine.report.charts.bars import Bars, draw_bars
from engine.report.charts.files import to_pdf, to_svg
from engine.report.charts.style import INK
from tests.report.charts.samples import BARS


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
    figure = draw_bars(Bars("a", "A", "%", (name, "two"), {"a": (1.0, 2.0)}))
    assert next(text.get_text() for text in figure.axes[0].get_xticklabels()) == name
    assert to_svg(figure, "a").startswith("<svg")
    assert to_pdf(figure).startswith(b"%PDF")
