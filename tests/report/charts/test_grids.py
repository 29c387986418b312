"""Heat maps, read back from their axes: every cell says its mean, its half width and its seeds, empty ones are seen."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_rgb

from engine.report.charts.grids import SearchGrid, Tried, draw_grid
from engine.report.charts.style import COLUMN

CELLS = {(0, 0): Tried(50.0, 1.25, 3), (0, 1): Tried(60.0, None, 1), (1, 1): Tried(55.0, 0.5, 3)}
GRID = SearchGrid("search", "Search", "windows", "globals", ("7", "14"), ("0", "4"), CELLS)


def test_each_cell_says_mean_half_width_and_n_and_an_empty_one_that_it_is() -> None:
    axes = draw_grid(GRID).axes[0]
    said = {text.get_position(): text.get_text() for text in axes.texts}
    assert said == {
        (0, 0): "50.0\n\u00b1 1.2\nn=3",
        (1, 0): "60.0\nn=1",
        (0, 1): "none",
        (1, 1): "55.0\n\u00b1 0.5\nn=3",
    }
    assert [bool(cell.get_hatch()) for cell in axes.patches] == [False, False, True, False]


def test_lightness_alone_tells_the_order_and_letters_are_read_on_it() -> None:
    axes = draw_grid(GRID).axes[0]
    light = [
        sum(w * c for w, c in zip((0.3, 0.59, 0.11), to_rgb(cell.get_facecolor()), strict=True))
        for cell in axes.patches
    ]
    assert light[0] < light[3] < light[1], "50, 55 and 60 per cent, in grey"
    letters = [text.get_color() for text in axes.texts if text.get_text() != "none"]
    assert letters == ["white", "black", "black"]


def test_axes_are_named_by_settings_and_levels() -> None:
    axes = draw_grid(GRID).axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("windows", "globals")
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["7", "14"]


def test_cells_of_one_value_or_none_are_drawn() -> None:
    same = SearchGrid("s", "S", "a", "b", ("1",), ("1", "2"), {(0, 0): Tried(50.0, None, 1)})
    assert draw_grid(same, COLUMN).axes[0].texts[0].get_text() == "50.0\nn=1"
    assert len(draw_grid(SearchGrid("s", "S", "a", "b", ("1",), ("1",), {})).axes) == 1


@pytest.mark.parametrize("columns", [2, 8, 40])
def test_it_says_how_wide_it_is_on_a_screen(columns: int) -> None:
    grid = SearchGrid("s", "S", "a", "b", ("1",), tuple(map(str, range(columns))), {})
    assert draw_grid(grid).get_figwidth() == pytest.approx(grid.width)
    assert draw_grid(grid, COLUMN).get_figwidth() == pytest.approx(COLUMN.width)
