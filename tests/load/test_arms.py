"""Arms as they are written: what they inherit, what they may not say, and where a mistake of theirs stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.load import load_spec
from engine.spec.cells import expand_cells
from tests.load.writing import HEAD, arms_of, problems_of, write_spec


def test_arms_that_extend_each_other_are_a_chain(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "arms:\n  b: {extends: c}\n  c: {extends: b}\n")
    assert (told[0][2], told[0][3]) == ("arms extend each other: b -> c -> b", "cut one of them")
    assert told[0][0] == "6:16"


def test_an_arm_wins_over_the_arm_it_extends(tmp_path: Path) -> None:
    arms = "arms:\n  c: {extends: b, train.lr: 3.0}\n  b: {train: {lr: 2.0, batch_size: 16}}\n"
    (tmp_path / "spec.yaml").write_text(HEAD + arms)
    cells = {cell.arm: cell.settings.train for cell in expand_cells(load_spec(tmp_path / "spec.yaml"))}
    assert [(cells[arm].lr, cells[arm].batch_size) for arm in ("b", "c")] == [(2.0, 16), (3.0, 16)]


def test_options_of_an_arm_are_not_looked_into(tmp_path: Path) -> None:
    arm = "arms: {b: {student: {arch: timm/resnet18, options: {base_width: 1}}}, c: {train.lr: 1}}\n"
    (tmp_path / "spec.yaml").write_text(HEAD + arm)
    assert load_spec(tmp_path / "spec.yaml").arm_names == ["b", "c"]


def test_a_mistake_that_is_inherited_is_told_where_it_is_written(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "arms:\n  b: {resources.gpus: 1.5}\n  c: {extends: b, train.lr: 1}\n")
    assert {place for place, *_ in told} == {"5:23"}


def test_a_circle_of_arms_is_told_once_whoever_leads_to_it(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "arms:\n  x: {extends: b}\n  b: {extends: c}\n  c: {extends: b}\n  y: {extends: c}\n")
    circles = [(where, path, what) for where, path, what, _ in told if "each other" in what]
    assert circles == [("7:16", "arms.b.extends", "arms extend each other: b -> c -> b")]


def test_an_arm_that_extends_itself_is_a_circle(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "arms: {b: {extends: b}}\n")
    assert told[0][:3] == ("4:21", "arms.b.extends", "arms extend each other: b -> b")


@pytest.mark.parametrize("base", ["[b]", "{b: 1}", "3", "true"])
def test_an_arm_extends_a_name_alone(base: str, tmp_path: Path) -> None:
    told = problems_of(tmp_path, f"arms: {{b: {{}}, c: {{extends: {base}}}}}\n")
    assert [(path, fix) for _, path, what, fix in told if what.startswith("no arm")] == [
        ("arms.c.extends", "choose one of 'b', 'c'")
    ]


def test_a_chain_of_arms_may_be_long(tmp_path: Path) -> None:
    """Each arm is resolved once, its base before it, in whatever order they stand."""
    rest = "".join(
        f"  a{number}: {{extends: a{number - 1}, train.lr: {number}.5e-4}}\n" for number in range(1499, 0, -1)
    )
    found = arms_of(load_spec(write_spec(tmp_path, f"arms:\n{rest}  a0: {{train.batch_size: 8}}\n")))
    assert (found["a1499"].train.lr, found["a1499"].train.batch_size) == (1499.5e-4, 8)
    assert found["a700"].train.lr == 700.5e-4


def test_a_mistake_far_down_a_chain_is_told_where_it_is_written(tmp_path: Path) -> None:
    rest = "".join(f"  a{number}: {{extends: a{number - 1}, train.threads: {number}}}\n" for number in range(1, 300))
    told = problems_of(tmp_path, f"arms:\n  a0: {{train.epochs: 0}}\n{rest}")
    assert [(where, path) for where, path, _, _ in told] == [("5:22", "train.epochs")]


def test_the_nearest_arm_that_says_a_word_is_shown(tmp_path: Path) -> None:
    arms = "arms:\n  b: {train.lr: -1.0}\n  c: {extends: b, train: {lr: -2.0}}\n  d: {extends: c, train.epochs: 3}\n"
    told = problems_of(tmp_path, arms)
    assert [(where, what[:4]) for where, _, what, _ in told] == [("5:17", "-1.0"), ("6:31", "-2.0")]


def test_a_dotted_and_a_nested_word_of_one_arm_meet(tmp_path: Path) -> None:
    found = arms_of(load_spec(write_spec(tmp_path, "arms: {b: {train.lr: 2.0, train: {batch_size: 8}}, c: {}}\n")))
    assert (found["b"].train.lr, found["b"].train.batch_size) == (2.0, 8)


def test_an_arm_of_null_changes_nothing(tmp_path: Path) -> None:
    found = arms_of(load_spec(write_spec(tmp_path, "arms:\n  b:\n  c: {train.lr: 2.0}\n")))
    assert (found["b"].train.lr, found["c"].train.lr) == (5e-4, 2.0)
