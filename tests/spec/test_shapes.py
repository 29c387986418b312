"""Stage sizes: what is clipped, what is refused, and that no torch is needed for it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from engine.errors import SpecError
from engine.spec import LongformerAttention, Student
from engine.spec.shapes import (
    default_tile,
    nearest_divisors,
    network_shape,
    shape_problems,
    sizes_of,
    sparse_shape,
    stage_sides,
)


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


def test_sparse_arm_sees_under_60_per_cent_of_its_window() -> None:
    stage = network_shape(sparse_student("tiny_vit_5m"), 56).stages[1]
    assert stage.keys_per_query / stage.tokens < 0.6


@pytest.mark.parametrize(("number", "wanted", "expected"), [(160, 6, (5, 8)), (14, 5, (2, 7)), (14, 20, (14,))])
def test_nearest_divisors_lie_on_both_sides(number: int, wanted: int, expected: tuple[int, ...]) -> None:
    assert nearest_divisors(number, wanted) == expected


def test_shapes_need_no_torch() -> None:
    code = "import engine.spec.shapes, sys; sys.exit(bool({'torch', 'timm'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Numbers worked out by hand -------------------------------------------------------------------------------------------


def test_the_published_sizes_are_tinyvits() -> None:
    """Wu et al. 2022, table of variants: widths, heads, windows, and the drop path of each size."""
    sizes = {arch: sizes_of(Student(arch=arch)) for arch in ("tiny_vit_5m", "tiny_vit_11m", "tiny_vit_21m")}
    assert [s.dims for s in sizes.values()] == [(64, 128, 160, 320), (64, 128, 256, 448), (96, 192, 384, 576)]
    assert [s.heads for s in sizes.values()] == [(2, 4, 5, 10), (2, 4, 8, 14), (3, 6, 12, 18)]
    assert {(s.depths, s.windows) for s in sizes.values()} == {((2, 2, 6, 2), (7, 7, 14, 7))}
    assert [s.drop_path for s in sizes.values()] == [0.0, 0.1, 0.2]


def test_sizes_that_are_given_win_over_the_archs_own() -> None:
    words: dict[str, Any] = {
        "dims": [8, 16, 24, 32],
        "depths": [1, 2, 3, 4],
        "heads": [1, 2, 3, 4],
        "windows": [4, 5, 6, 7],
    }
    sizes = sizes_of(Student.model_validate({"arch": "tiny_vit_21m", "drop_path": 0.0, **words}))
    assert [list(getattr(sizes, word)) for word in words] == list(words.values())
    assert sizes.drop_path == 0.0


def test_a_stage_tells_what_it_is() -> None:
    conv, one, two, three = network_shape(sparse_student(stages=[2]), 224).stages
    assert (conv.stage, conv.dim, conv.depth, conv.heads, conv.side, conv.window, conv.kind) == (
        0,
        64,
        2,
        2,
        56,
        0,
        "conv",
    )
    assert (one.stage, one.dim, one.depth, one.heads, one.side, one.window, one.asked_window) == (
        1,
        128,
        2,
        4,
        28,
        7,
        7,
    )
    assert (two.dim, two.depth, two.heads, two.side, two.window, two.kind) == (160, 6, 5, 14, 14, "longformer")
    assert (three.tokens, three.kind, three.keys_per_query) == (49, "window", 49.0)


def test_an_asked_window_is_kept_beside_the_clipped_one() -> None:
    assert [(s.window, s.asked_window) for s in network_shape(Student(arch="tiny_vit_5m"), 56).stages[1:]] == [
        (7, 7),
        (4, 14),
        (2, 7),
    ]


def test_entries_of_lists_belong_to_their_stage() -> None:
    words: dict[str, Any] = {"radius": [1, 2, 3], "globals": [1, 4, 9]}
    stages = network_shape(sparse_student(**words), 224).stages[1:]
    assert [(s.sparse.radius, s.sparse.globals) for s in stages if s.sparse] == [(1, 1), (2, 4), (3, 9)]
    tiles = network_shape(sparse_student(pattern="block", tile=[1, 2, 1]), 224).stages[1:]
    assert [(s.sparse.tile, s.sparse.radius) for s in tiles if s.sparse] == [(1, 0), (2, 0), (1, 0)]


@pytest.mark.parametrize(
    ("words", "rows", "second", "count"),
    [
        ({"globals": 4}, True, True, 4),
        ({"globals": 0}, False, False, 0),
        ({"globals": 4, "select": "pooled"}, False, False, 4),
        ({"globals": 4, "select": "none"}, False, False, 0),
        ({"globals": 4, "projections": "shared"}, True, False, 4),
    ],
)
def test_a_second_projection_set_is_there_where_tokens_use_it(
    words: dict[str, Any], rows: bool, second: bool, count: int
) -> None:
    shape = sparse_shape(LongformerAttention.model_validate({"kind": "longformer", **words}), 1, 7)
    assert shape is not None
    assert (shape.has_global_rows, shape.has_second_set, shape.globals) == (rows, second, count)


def test_words_of_attention_are_passed_on() -> None:
    words: dict[str, Any] = {
        "pattern": "row",
        "select": "norm",
        "projections": "shared",
        "bias": "none",
        "combine": "sum",
    }
    shape = sparse_shape(LongformerAttention.model_validate({"kind": "longformer", **words}), 1, 7)
    assert shape is not None
    assert {word: getattr(shape, word) for word in words} == words


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        ({"radius": -1, "stages": [2]}, "stage 2: radius -1 is below 0", "use 0 to 13"),
        ({"tile": 0, "stages": [1]}, "stage 1: tile 0 is below 1", "use 1 to 7"),
        ({"globals": -1, "stages": [3]}, "stage 3: globals -1 is below 0", "use 0 to 49"),
        (
            {"radius": [7, 0, 0]},
            "stage 1: radius 7 is more than its 7 x 7 window has room for",
            "use at most 6 there, or one number for all stages, which is clipped to each",
        ),
        (
            {"pattern": "block", "tile": 4, "stages": [2]},
            "stage 2: tile 4 does not divide the 14 x 14 window",
            "use 2 or 7 there, or null for the default",
        ),
    ],
)
def test_a_refusal_names_stage_value_and_room(words: dict[str, Any], what: str, fix: str) -> None:
    (problem,) = shape_problems(sparse_student(**words), 224, "teacher")
    assert (problem.what, problem.fix) == (what, fix)
    assert problem.path.startswith("teacher.attention.")


@pytest.mark.parametrize(
    "words",
    [
        {"radius": [6, 13, 6]}, {"globals": [49, 196, 49]}, {"radius": 99}, {"globals": 0}, {"radius": 0},
        {"tile": 5}, {"pattern": "block", "tile": 99}, {"pattern": "block", "tile": [7, 14, 1]},
    ],
)  # fmt: skip
def test_the_last_that_has_room_is_let_through(words: dict[str, Any]) -> None:
    assert shape_problems(sparse_student(**words), 224) == []


def test_heads_are_judged_but_in_the_convolutions() -> None:
    assert shape_problems(Student(arch="tiny_vit_5m", heads=[3, 4, 5, 10]), 224) == []
    (problem,) = shape_problems(Student(arch="tiny_vit_5m", heads=[2, 3, 5, 10]), 224, "x")
    assert problem.what == "stage 1: 128 channels do not divide into 3 heads"
    assert (problem.path, problem.fix) == ("x.heads", "use 2 or 4 heads there")


def test_a_stem_of_one_channel_cannot_be_halved() -> None:
    heads = [1, 1, 1, 1]
    (problem,) = shape_problems(Student(arch="tiny_vit_5m", dims=[1, 8, 8, 8], heads=heads), 224)
    assert (problem.path, problem.fix) == ("student.dims", "use at least 2")
    assert shape_problems(Student(arch="tiny_vit_5m", dims=[2, 8, 8, 8], heads=heads), 224) == []


def test_a_network_of_timm_is_not_judged() -> None:
    assert shape_problems(Student(arch="timm/resnet18"), 224) == []


def test_all_problems_of_a_network_come_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        network_shape(sparse_student(radius=[9, 2, 2], globals=[2, 2, 99]), 224, "it")
    assert [problem.path for problem in caught.value.problems] == ["it.attention.radius", "it.attention.globals"]
