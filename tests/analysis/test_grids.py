"""Arms that cross factors: which of them form a grid, what its levels are called, and where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.analysis import grids
from engine.analysis.grids import Factor, Grid, find_grid
from engine.load import load_spec
from engine.spec.cells import expand_cells
from engine.spec.dotted import flatten_settings

SPECS = Path(__file__).parents[2] / "specs"
CLIP = {"teacher.arch": "timm/clip", "distill.temperature": 2.0}
NEXT = {"teacher.arch": "timm/next", "distill.temperature": 2.0}
WINDOW: dict[str, Any] = {"student.attention.kind": "window"}
SPARSE = {"student.attention.kind": "longformer", "student.attention.radius": 2}
CROSSED: dict[str, Mapping[str, Any]] = {
    "a": WINDOW | CLIP, "b": WINDOW | NEXT, "c": SPARSE | CLIP, "d": SPARSE | NEXT,
}  # fmt: skip


def grid_of(arms: Mapping[str, Mapping[str, Any]], baseline: str | None = None) -> Grid:
    found = find_grid(arms, baseline)
    assert found is not None
    return found


def settings_of(name: str) -> tuple[dict[str, dict[str, Any]], str | None]:
    """The settings of a shipped spec's arms at its first point."""
    spec = load_spec(SPECS / f"{name}.yaml")
    cells = list(expand_cells(spec))
    first = [cell for cell in cells if cell.cell == cells[0].cell]
    return {cell.arm: flatten_settings(cell.settings.model_dump(mode="json")) for cell in first}, spec.baseline


def test_four_crossed_arms_are_a_square() -> None:
    found = grid_of(CROSSED, "a")
    assert found.factors == (Factor("attention", ("window", "longformer")), Factor("teacher", ("clip", "next")))
    assert found.arms == {(0, 0): "a", (0, 1): "b", (1, 0): "c", (1, 1): "d"}


def test_the_baselines_levels_come_first() -> None:
    assert grid_of(CROSSED, "d").factors == (
        Factor("attention", ("longformer", "window")),
        Factor("teacher", ("next", "clip")),
    )


def test_a_teacher_is_named_by_its_network_and_not_by_its_attention() -> None:
    """A TinyViT that teaches has an attention of its own, and is not called 'window'."""
    taught = {"teacher.arch": "tiny_vit", "teacher.attention.kind": "window"}
    found = grid_of({"a": WINDOW, "b": WINDOW | taught, "c": SPARSE, "d": SPARSE | taught}, "a")
    assert {factor.name: factor.levels for factor in found.factors}["teacher"] == ("none", "tiny_vit")


def test_three_of_four_combinations_are_no_grid() -> None:
    assert find_grid({arm: CROSSED[arm] for arm in "abc"}) is None


def test_arms_of_one_factor_are_no_grid() -> None:
    assert find_grid({"a": WINDOW, "b": SPARSE}) is None
    assert find_grid({"a": WINDOW}) is None
    assert find_grid({}) is None


def test_an_arm_beside_the_square_is_left_out() -> None:
    lone = SPARSE | {"student.attention.radius": 3} | CLIP
    assert "e" not in grid_of(CROSSED | {"e": lone}).arms.values()


def test_of_two_squares_the_one_with_the_baseline_is_taken() -> None:
    far = {"f": SPARSE | {"student.attention.radius": 3} | CLIP, "g": SPARSE | {"student.attention.radius": 3} | NEXT}
    larger = grid_of(CROSSED | far, "a")
    assert len(larger.arms) == 6
    halves = {arm: tree for arm, tree in (CROSSED | far).items() if arm != "c"}  # a b d, f g: only b d would cross
    assert find_grid(halves, "a") is not None
    assert set(grid_of(halves, "a").arms.values()) == {"a", "b", "f", "g"}
    assert set(grid_of(halves | {"h": NEXT | {"student.attention.kind": "row"}}, "g").arms.values()) >= {"g"}


def test_a_distillation_that_comes_with_its_teacher_is_no_factor() -> None:
    untaught = {"a": WINDOW, "b": SPARSE, "c": WINDOW | CLIP, "d": SPARSE | CLIP}
    assert [factor.name for factor in grid_of(untaught, "a").factors] == ["attention", "teacher"]
    assert grid_of(untaught, "a").factors[1].levels == ("none", "clip")


def test_whole_numbers_written_in_two_ways_are_one_level() -> None:
    arms = {arm: dict(tree) | {"train.lr": 1 if arm in "ab" else 1.0} for arm, tree in CROSSED.items()}
    assert [factor.name for factor in grid_of(arms).factors] == ["attention", "teacher"]


def test_levels_that_one_word_cannot_tell_apart_take_two() -> None:
    levels = [{"teacher.arch": "x", "teacher.options.p": p, "teacher.options.q": q} for p in (1, 2) for q in (1, 2)]
    arms = {f"{at}{kind}": dict(tree) | {"student.attention.kind": kind}
            for at, tree in enumerate(levels) for kind in ("window", "row")}  # fmt: skip
    assert grid_of(arms).factors[1].levels == ("p 1, q 1", "p 1, q 2", "p 2, q 1", "p 2, q 2")


def test_tags_of_weights_are_left_out_where_nothing_is_lost() -> None:
    def levels(*names: str) -> tuple[str, ...]:
        arms = {f"{kind}{at}": {"student.attention.kind": kind, "teacher.arch": name}
                for at, name in enumerate(names) for kind in ("window", "row")}  # fmt: skip
        return grid_of(arms).factors[1].levels

    assert levels("timm/clip.openai", "timm/next.fcmae") == ("clip", "next")
    assert levels("timm/clip.openai", "timm/clip.laion") == ("clip.openai", "clip.laion")


def test_levels_beyond_counting_are_looked_at_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "MOST_LAYOUTS", 1)
    assert len(grid_of(CROSSED).arms) == 4
    assert find_grid(CROSSED | {"e": WINDOW | {"teacher.arch": "third"}}) is None


@pytest.mark.parametrize(
    ("name", "factors", "count"),
    [
        ("phase1_big_window", ["attention", "windows"], 4),
        ("phase2_convnextv2", ["attention", "teacher"], 4),
        ("phase2_pruned", ["teacher", "pruning"], 4),
        ("fixed_pattern", ["pattern", "select"], 18),
    ],
)
def test_shipped_specs_that_cross_factors_are_seen(name: str, factors: list[str], count: int) -> None:
    found = grid_of(*settings_of(name))
    assert [factor.name for factor in found.factors] == factors
    assert len(found.arms) == count


@pytest.mark.parametrize("name", ["quickstart", "phase1_tiny_window", "teacher_assistant"])
def test_shipped_specs_of_one_factor_are_none(name: str) -> None:
    assert find_grid(*settings_of(name)) is None
