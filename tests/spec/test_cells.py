"""Arms: what is merged over what, who wins, and which path no setting has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec import Settings, Spec
from engine.spec.cells import (
    CellBuilder,
    arm_trees,
    cell_name,
    expand_cells,
    matrix_points,
    merge_trees,
    nest_paths,
    unknown_part,
)

BASE: dict[str, Any] = {
    "name": "base",
    "data": {"source": "digits", "split": "60/20/20"},
    "student": {"arch": "tiny_vit_5m"},
    "train": {"lr": 1.0, "batch_size": 16},
}


def spec_with(**words: Any) -> Spec:
    return Spec.model_validate({**BASE, **words})


def test_the_matrix_wins_over_the_arm_and_the_arm_over_the_base() -> None:
    """A cell that is named lr=3 trains with 3, whatever its arm says: else the paper's table is mislabelled."""
    spec = spec_with(arms={"a": {"train": {"lr": 2.0, "batch_size": 32}}}, matrix={"train.lr": [3.0, 4.0]})
    cells = list(expand_cells(spec))
    assert [cell.cell for cell in cells] == ["train.lr=3.0", "train.lr=4.0"]
    assert [cell.settings.train.lr for cell in cells] == [3.0, 4.0]
    assert {cell.settings.train.batch_size for cell in cells} == {32}


def test_a_cells_tree_is_base_then_arm_then_point() -> None:
    base, arm = {"a": {"x": 1, "y": 1, "z": 1}}, {"a": {"x": 2, "y": 2}}
    assert list(arm_trees(base, arm, [{}, {"a.x": 3}])) == [
        {"a": {"x": 2, "y": 2, "z": 1}},
        {"a": {"x": 3, "y": 2, "z": 1}},
    ]


def test_a_spec_made_by_hand_makes_its_cells_on_first_use() -> None:
    spec = spec_with(arms={"a": {"train": {"lr": 2.0}}}, matrix={"train.epochs": [3, 4]})
    assert spec.kept_cells == ()
    first, again = list(expand_cells(spec)), list(expand_cells(spec))
    assert [cell.settings.train.epochs for cell in first] == [3, 4]
    assert all(one.settings is other.settings for one, other in zip(first, again, strict=True))


def test_impossible_cells_are_refused_at_every_use() -> None:
    spec = spec_with(arms={"a": {}, "b": {"train": {"lr": -1.0}}})
    for _ in range(2):
        with pytest.raises(ValidationError, match=r"train\.lr"):
            list(expand_cells(spec))


BROKEN: dict[str, dict[str, Any]] = {
    "a section nobody changed": {"measure": {"seconds": "long"}},
    "two sections": {"measure": {"seconds": "long"}, "train": {"lr": -1.0, "epoch": 3}},
    "no mapping": {"train": 3},
    "a section that is off": {"train": None},
    "an unknown one": {"bogus": {"x": 1}},
    "across sections": {"data": {"source": "digits", "augment": {"mixup": 1.0}}, "train": {"batch_size": 15}},
    "nothing": {},
}


@pytest.mark.parametrize("case", BROKEN)
def test_kept_sections_change_no_answer_of_validation(case: str) -> None:
    """The same trees whole, and with the sections of the base and of the cell before lent to them."""
    base = {key: value for key, value in BASE.items() if key != "name"} | {"explain": {"images": 3}}
    changes = BROKEN[case]
    builder = CellBuilder(base, Settings.model_validate(base))
    for tree in arm_trees(base, changes, [{}, {"train.epochs": 5}, {"explain.images": 0}, {"explain.images": 4}]):
        assert outcome(builder.build, tree) == outcome(Settings.model_validate, tree)


def outcome(build: Callable[[dict[str, Any]], Settings], tree: dict[str, Any]) -> Any:
    try:
        settings = build(tree)
    except ValidationError as error:
        return [(detail["type"], detail["loc"], detail["msg"]) for detail in error.errors()]
    return settings, settings.model_dump(exclude_unset=True)


def test_sections_that_nobody_changes_are_one_object() -> None:
    spec = spec_with(arms={"a": {}, "b": {"train": {"lr": 2.0}}}, matrix={"explain.images": [1, 2]})
    cells = [cell.settings for cell in expand_cells(spec)]
    assert {id(settings.data) for settings in cells} == {id(spec.data)}
    assert [settings.train.lr for settings in cells] == [1.0, 1.0, 2.0, 2.0]
    assert cells[2].train is cells[3].train


def test_cells_go_arm_by_arm_and_the_last_axis_runs_fastest() -> None:
    spec = spec_with(arms={"b": {}, "a": {}}, matrix={"train.lr": [1.0, 2.0], "data.split": ["60/20/20", "80/10/10"]})
    names = [(cell.arm, cell.cell) for cell in expand_cells(spec)]
    points = [f"train.lr={lr} data.split={split}" for lr in (1.0, 2.0) for split in ("60/20/20", "80/10/10")]
    assert names == [(arm, point) for arm in ("b", "a") for point in points]


def test_without_arms_and_matrix_there_is_one_cell() -> None:
    (cell,) = expand_cells(spec_with())
    assert (cell.arm, cell.cell, cell.settings.train.lr) == ("base", "default", 1.0)
    assert matrix_points({}) == [{}]
    assert cell_name({}) == "default"


def test_every_combination_is_a_point() -> None:
    assert matrix_points({"a": [1, 2], "b": [3]}) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]


def test_merging_is_deep_lists_replace_and_null_switches_off() -> None:
    base = {"a": {"x": 1, "y": [1, 2]}, "b": {"z": 1}, "c": 1}
    merged = merge_trees(base, {"a": {"y": [3]}, "b": None, "d": {"e": 2}})
    assert merged == {"a": {"x": 1, "y": [3]}, "b": None, "c": 1, "d": {"e": 2}}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": {"z": 1}, "c": 1}
    assert merge_trees({"b": None}, {"b": {"z": 2}}) == {"b": {"z": 2}}


LONG = {"kind": "longformer", "globals": 4}
WIDE = {**LONG, "radius": 1}
DKD = {"loss": "dkd", "options": {"beta": 2.0}}
TIMM = {"arch": "x", "options": {"d": 1}}


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        (LONG, {"kind": "window"}, {"kind": "window"}),
        (LONG, {"kind": "longformer", "radius": 1}, WIDE),
        (LONG, {"radius": 1}, WIDE),
        ({"radius": 1}, LONG, WIDE),
        ({"arch": "x", "train": {}}, {"run": "a/b"}, {"run": "a/b"}),
        ({"run": "a/b", "seed": 1}, {"arch": "x"}, {"arch": "x"}),
        ({"run": "a/b", "seed": 1}, {"run": "c/d"}, {"run": "c/d", "seed": 1}),
        ({**TIMM, "seed": 1}, {"arch": "y"}, {"arch": "y", "seed": 1}),
        (TIMM, {"arch": "x"}, TIMM),
        (TIMM, {"seed": 2}, {**TIMM, "seed": 2}),
        (TIMM, {"arch": "y", "options": {"e": 2}}, {"arch": "y", "options": {"e": 2}}),
        ({**DKD, "weight": 2.0}, {"loss": "nkd"}, {"loss": "nkd", "weight": 2.0}),
        (DKD, {"loss": "dkd", "options": {"alpha": 3.0}}, {"loss": "dkd", "options": {"beta": 2.0, "alpha": 3.0}}),
        (DKD, {"loss": "nkd", "options": {"gamma": 1.0}}, {"loss": "nkd", "options": {"gamma": 1.0}}),
        (DKD, {"weight": 2.0}, {**DKD, "weight": 2.0}),
    ],
)
def test_words_of_another_kind_are_not_inherited(
    old: dict[str, Any], new: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge_trees({"it": old}, {"it": new}) == {"it": merged}


def test_dotted_paths_nest_at_every_level_and_meet() -> None:
    flat = {"a.b": 1, "a.c.d": 2, "a": {"e.f": 3}, "g": [{"h.i": 4}]}
    assert nest_paths(flat) == {"a": {"b": 1, "c": {"d": 2}, "e": {"f": 3}}, "g": [{"h.i": 4}]}
    assert nest_paths({"a": 1, "a.b": 2}) == {"a": {"b": 2}}
    assert nest_paths({"a.b": 2, "a": {"c": 3}, "d": None}) == {"a": {"b": 2, "c": 3}, "d": None}
    other = nest_paths({"t.arch": "x", "t.options": {"d": 1}, "t": {"arch": "y"}})
    assert other == {"t": {"arch": "y"}}


@pytest.mark.parametrize(
    "path",
    [
        "train", "train.lr", "student.attention.kind", "student.attention.radius", "teacher.train.epochs",
        "distill.temperature.from", "distill.temperature.reference.arch", "teacher.options.depths", "resources.gpus",
    ],
)  # fmt: skip
def test_a_path_that_exists_has_no_unknown_part(path: str) -> None:
    assert unknown_part(path) is None


@pytest.mark.parametrize(
    ("path", "part", "choice"),
    [
        ("trein.lr", "trein", "train"),
        ("train.lrr", "lrr", "lr"),
        ("student.attention.radios", "radios", "radius"),
        ("student.attention.sort", "sort", "kind"),
        ("distill.temperature.start", "start", "from"),
        ("name", "name", "student"),
    ],
)
def test_the_first_unknown_part_is_named_with_its_choices(path: str, part: str, choice: str) -> None:
    found = unknown_part(path)
    assert found is not None
    assert found[0] == part
    assert choice in found[1]
    assert found[1] == sorted(found[1])


def test_a_value_has_no_parts() -> None:
    assert unknown_part("train.lr.more") == ("more", [])
    assert unknown_part("teacher.assistants.arch") == ("arch", [])
