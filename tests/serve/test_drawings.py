"""A chart's picture: another address when it shows other numbers, colours for light and dark."""

from __future__ import annotations

from functools import partial

from engine.report.pictures import Chart
from engine.serve.deltas import Mark
from engine.serve.drawings import version_of
from engine.serve.readings import Reading


def chart(numbers: tuple[float, ...], section: str = "charts") -> Chart:
    return Chart("bars", "Bars", partial(print, numbers), section)  # type: ignore[arg-type]  # nothing is drawn


def reading(mark: Mark) -> Reading:
    return Reading(None, mark, 0.0, 0.0)  # type: ignore[arg-type]  # nothing of its page is asked


def test_the_same_numbers_have_the_same_address() -> None:
    first, second = reading((1, 1, 1)), reading((2, 2, 2))
    assert version_of(first, chart((1.0,))) == version_of(second, chart((1.0,)))
    assert version_of(first, chart((1.0,))) != version_of(first, chart((2.0,)))


def test_maps_have_another_address_with_each_publication() -> None:
    first, second = reading((1, 1, 1)), reading((2, 2, 2))
    assert version_of(first, chart((1.0,), "maps")) != version_of(second, chart((1.0,), "maps"))
