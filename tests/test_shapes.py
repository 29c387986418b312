"""Stage sizes: what is clipped, what is refused, and that no torch is needed for it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SpecError
from engine.shapes import (
    default_tile,
    grid_cells,
    grid_points,
    nearest_divisors,
    neighbours,
    network_shape,
    shape_problems,
    sparse_shape,
    stage_sides,
)
from engine.spec import LongformerAttention, Student


def sparse_student(arch: str = "tiny_vit_5m", windows: list[int] | None = None, **words: Any) -> Student:
    return Student(arch=arch, windows=windows, attention=LongformerAttention(kind="longformer", **words))


@pytest.mark.parametrize(("size", "sides"), [(224, (56, 28, 14, 7)), (225, (57, 29, 15, 8)), (56, (14, 7, 4, 2))])
def test_maps_halve_rounding_up(size: int, sides: tuple[int, ...]) -> None:
    assert stage_sides(size) == sides


def test_windows_are_clipped_to_their_map_except_under_timms_padding() -> None:
    student = Student(arch="tiny_vit_5m")
    assert [stage.window for stage in network_shape(student, 56).stages] == [0, 7, 4, 2]
    timm = student.model_copy(update={"padding": "timm"})
    assert [stage.window for stage in network_shape(timm, 56).stages] == [0, 7, 14, 7]


def test_single_values_are_clipped_and_defaults_follow_the_window() -> None:
    stages = network_shape(sparse_student(windows=[7, 28, 14, 7], radius=9, globals=30), 224).stages
    assert [(s.sparse.radius, s.sparse.globals) for s in stages if s.sparse] == [(9, 30), (9, 30), (6, 30)]
    stages = network_shape(sparse_student(windows=[7, 28, 14, 7]), 224).stages
    assert [(s.sparse.radius, s.sparse.globals) for s in stages if s.sparse] == [(3, 16), (3, 4), (2, 4)]
    small = network_shape(sparse_student(), 56).stages[3].sparse
    assert small is not None
    assert (small.radius, small.globals) == (1, 4)


@pytest.mark.parametrize(
    ("words", "path", "hint"),
    [
        ({"radius": [3, 3, 7]}, "student.attention.radius", "at most 6"),
        ({"globals": [4, 4, 50]}, "student.attention.globals", "at most 49"),
        ({"pattern": "block", "tile": [7, 15, 7]}, "student.attention.tile", "at most 14"),
        ({"pattern": "block", "tile": 5, "stages": [2]}, "student.attention.tile", "2 or 7"),
        ({"radius": -1}, "student.attention.radius", "0 to"),
    ],
)
def test_impossible_settings_are_refused_with_the_nearest_legal(words: dict[str, Any], path: str, hint: str) -> None:
    problems = shape_problems(sparse_student(**words), 224)
    assert problems
    assert {problem.path for problem in problems} == {path}
    assert hint in problems[0].fix
    with pytest.raises(SpecError):
        network_shape(sparse_student(**words), 224)


def test_heads_that_do_not_divide_are_refused() -> None:
    problems = shape_problems(Student(arch="tiny_vit_5m", heads=[2, 4, 6, 10]), 224)
    assert [problem.path for problem in problems] == ["student.heads"]
    assert "5 or 8" in problems[0].fix


def test_entries_of_dense_stages_are_not_judged() -> None:
    assert shape_problems(sparse_student(globals=[4, 999, 999], stages=[1]), 224) == []
    stages = network_shape(sparse_student(stages=[1]), 224).stages
    assert [stage.kind for stage in stages] == ["conv", "longformer", "window", "window"]


def test_block_pattern_is_dense_where_a_tile_covers_the_window() -> None:
    stages = network_shape(sparse_student(windows=[7, 28, 14, 7], pattern="block"), 224).stages
    assert [stage.kind for stage in stages] == ["conv", "longformer", "longformer", "window"]
    assert [default_tile(window) for window in (2, 7, 11, 12, 14, 28)] == [2, 7, 11, 6, 7, 7]


def test_slide_and_row_never_fall_back() -> None:
    for pattern in ("slide", "row"):
        shape = sparse_shape(LongformerAttention(kind="longformer", pattern=pattern, radius=99), 1, 7)
        assert shape is not None


@given(window=st.integers(1, 16), data=st.data())
def test_grid_points_are_distinct_and_cells_cover_the_window(window: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, window**2))
    assert len(set(grid_points(window, count))) == count
    cells = grid_cells(window, count)
    assert len(cells) == count
    assert sorted(token for cell in cells for token in cell) == list(range(window**2))


@pytest.mark.parametrize(("window", "count"), [(7, 4), (14, 4), (28, 16), (4, 4), (9, 3), (8, 8)])
def test_even_grids_are_their_own_mirror_image(window: int, count: int) -> None:
    points = {divmod(point, window) for point in grid_points(window, count)}
    assert points == {(window - 1 - row, column) for row, column in points}
    assert points == {(row, window - 1 - column) for row, column in points}


def test_sparse_arm_at_56_px_sees_under_60_per_cent_of_a_stage_1_window() -> None:
    stage = network_shape(sparse_student("tiny_vit_5m"), 56).stages[1]
    assert stage.keys_per_query / stage.tokens < 0.6


def test_row_pattern_has_the_key_budget_of_its_square() -> None:
    shape = sparse_shape(LongformerAttention(kind="longformer", pattern="row", radius=2), 1, 14)
    assert shape is not None
    assert len(neighbours(shape, 14)[100]) == 25


@pytest.mark.parametrize(("number", "wanted", "expected"), [(160, 6, (5, 8)), (14, 5, (2, 7)), (14, 20, (14,))])
def test_nearest_divisors_lie_on_both_sides(number: int, wanted: int, expected: tuple[int, ...]) -> None:
    assert nearest_divisors(number, wanted) == expected


def test_shapes_need_no_torch() -> None:
    code = "import engine.shapes, sys; sys.exit(bool({'torch', 'timm'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
