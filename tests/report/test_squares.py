"""The squares of a report: numbers at their places, effects with their intervals, none without a grid."""

from __future__ import annotations

from typing import Any

import pytest

from engine.analysis.factorial import Factorial, measure_effects
from engine.analysis.grids import Factor, Grid
from engine.report.number_text import NONE
from engine.report.sheet import Sheet
from engine.report.squares import FactorSection, factor_section
from tests.report.rows import make_rows, run_row

GRID = Grid(
    (Factor("attention", ("window", "longformer")), Factor("teacher", ("clip", "next"))),
    {(0, 0): "wc", (0, 1): "wn", (1, 0): "lc", (1, 1): "ln"},
)
TOP1 = {"wc": (0.50, 0.52), "wn": (0.60, 0.66), "lc": (0.54, 0.60), "ln": (0.58, 0.56)}


def make_section(grid: Grid = GRID, top1: Any = TOP1, points: tuple[str, ...] = ("default",)) -> FactorSection | None:
    runs = [
        run_row(arm, seed, point, test_top1=value)
        for point in points
        for arm, values in top1.items()
        for seed, value in enumerate(values)
    ]
    values = {arm: dict(enumerate(held)) for arm, held in top1.items()}
    found = [Factorial(point, grid, measure_effects(grid, values)) for point in points]
    return factor_section(Sheet(make_rows(runs, "wc")), found)


def test_a_square_has_rows_and_columns_of_two_factors() -> None:
    section = make_section()
    assert section is not None
    (square,) = section.squares
    assert list(square.columns) == ["attention \\ teacher", "clip", "next"]
    assert [[cell.text for cell in row] for row in square.rows] == [
        ["window", "51.0 ± 12.7 (n=2)", "63.0 ± 38.1 (n=2)"],
        ["longformer", "57.0 ± 38.1 (n=2)", "57.0 ± 12.7 (n=2)"],
    ]
    assert square.rows[1][2].source == "ln: run-ln-0-default, run-ln-1-default"


def test_effects_stand_with_interval_seeds_and_p() -> None:
    section = make_section()
    assert section is not None
    (table,) = section.effects
    rows = [[cell.text for cell in row] for row in table.rows]
    assert [row[0] for row in rows] == [
        "attention: longformer - window", "teacher: next - clip", "attention longformer x teacher next",
    ]  # fmt: skip
    # of seeds 0 and 1: +1 and -1 points; +7 and +5; -6 and -18, with t = 12.706 and one degree of freedom
    assert [row[1:4] for row in rows] == [
        ["+0.0", "[-12.7, +12.7]", "2"], ["+6.0", "[-6.7, +18.7]", "2"], ["-12.0", "[-88.2, +64.2]", "2"],
    ]  # fmt: skip
    assert rows[0][4] == "1"


def test_one_seed_has_no_interval_and_no_p() -> None:
    section = make_section(top1={arm: values[:1] for arm, values in TOP1.items()})
    assert section is not None
    assert [cell.text for cell in section.effects[0].rows[1]][1:] == ["+7.0", NONE, "1", NONE]


def test_a_third_factor_makes_a_square_for_each_of_its_levels() -> None:
    arms: dict[tuple[int, ...], str] = {(a, b, c): f"x{a}{b}{c}" for a in (0, 1) for b in (0, 1) for c in (0, 1)}
    cube = Grid((*GRID.factors, Factor("pruning", ("none", "ratio 0.2"))), arms)
    section = make_section(cube, dict.fromkeys(arms.values(), (0.5, 0.6)))
    assert section is not None
    assert [square.title for square in section.squares] == ["pruning none", "pruning ratio 0.2"]
    assert section.squares[1].rows[0][1].source.startswith("x001")


def test_points_of_the_matrix_are_titles() -> None:
    section = make_section(points=("60/20/20", "80/10/10"))
    assert section is not None
    assert [table.title for table in section.squares] == ["60/20/20", "80/10/10"]
    assert [table.title for table in section.effects] == ["60/20/20", "80/10/10"]


@pytest.mark.parametrize("top1", [dict.fromkeys(TOP1, ()), {**TOP1, "ln": ()}])
def test_without_figures_there_is_no_section(top1: Any) -> None:
    assert make_section(top1=top1) is None
    assert factor_section(Sheet(make_rows([], None)), []) is None
