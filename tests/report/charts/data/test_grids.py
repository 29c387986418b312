"""The cells of a search: which two settings are crossed, what is empty, and what is no grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engine.report.charts.data.grids import search_grids
from engine.report.charts.grids import SearchGrid
from tests.report.chart_cases import sheet_of, top1


def grids_of(
    *attentions: Mapping[str, Any], split: str = "60/20/20", values: tuple[float, ...] = (0.5, 0.6)
) -> list[SearchGrid]:
    runs = []
    for at, words in enumerate(attentions):
        windows = words.get("windows", [7, 7, 14, 7])
        rest = {name: value for name, value in words.items() if name != "windows"}
        student = {"windows": windows, "attention": {"kind": "longformer", **rest}}
        runs.append(top1(f"arm{at}", 0.5, 0.6, settings={"student": student}))
    return search_grids(sheet_of(top1("original", 0.5, settings={"student": {"attention": {"kind": "window"}}}), *runs))


def test_windows_and_globals_are_crossed_in_the_order_of_their_size() -> None:
    wide, narrow = [14, 14, 14, 7], [7, 7, 14, 7]
    (grid,) = grids_of(*({"windows": windows, "globals": count} for windows in (wide, narrow) for count in (16, 0, 4)))
    assert (grid.down, list(grid.rows)) == ("windows", ["7, 7, 14, 7", "14, 14, 14, 7"])
    assert (grid.across, list(grid.columns)) == ("globals", ["0", "4", "16"])
    assert len(grid.cells) == 6
    assert grid.cells[0, 0].mean == pytest.approx(55.0)
    assert grid.cells[0, 0].n == 2


def test_what_is_missing_has_no_cell() -> None:
    (grid,) = grids_of({"radius": 1, "globals": 0}, {"radius": 1, "globals": 4}, {"radius": 2, "globals": 0})
    assert sorted(grid.cells) == [(0, 0), (0, 1), (1, 0)] or sorted(grid.cells) == [(0, 0), (0, 1), (1, 1)]
    assert "Hatched: not run, or without a figure yet." in grid.notes


def test_patterns_by_the_choice_of_globals_are_a_grid_as_in_the_shipped_spec() -> None:
    patterns = ("slide", "block", "row")
    (grid,) = grids_of(
        *({"pattern": one, "select": two} for one in patterns for two in ("grid", "norm", "none", "pooled"))
    )
    assert (grid.down, list(grid.rows)) == ("pattern", list(patterns))
    assert (grid.across, len(grid.columns)) == ("select", 4)


def test_a_third_setting_that_differs_is_no_grid_of_two() -> None:
    words = [{"radius": r, "globals": g, "pattern": p} for r in (1, 2) for g in (0, 4) for p in ("row", "slide")]
    assert grids_of(*words) == []


def test_arms_that_vary_one_setting_or_none_are_no_grid() -> None:
    assert grids_of({"radius": 1}, {"radius": 2}, {"radius": 3}) == []
    assert grids_of() == []
