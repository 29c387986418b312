"""Cells checked: every arm at every point, mistakes where they are said, and no more cells than the limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import XpError
from engine.load import load_spec
from engine.load.cells import MOST_CELLS
from engine.spec import Settings
from tests.load.writing import HEAD, arms_of, problems_of, write_spec

TWO = "resources: {gpus: 2}\n"

HUGE = (
    "matrix:\n  train.lr: &many ["
    + ", ".join(map(str, range(1, 101)))
    + "]\n"
    + "".join(f"  {path}: *many\n" for path in ("train.epochs", "train.batch_size", "data.split_seed", "data.workers"))
)


def test_a_network_is_judged_at_the_size_it_sees(tmp_path: Path) -> None:
    """At 32 pixels a window of stage 3 is one token: of the student, not of a teacher that sees 224."""
    radii = "attention: {kind: longformer, radius: [0, 0, 3]}"
    teacher = f"teacher: {{arch: tiny_vit_5m, {radii}, train: {{}}, image_size: 224}}\n"
    file = tmp_path / "spec.yaml"
    file.write_text(HEAD.replace("digits", "digits, image_size: 32") + teacher)
    load_spec(file)
    small = f"teacher: {{arch: tiny_vit_5m, {radii}, train: {{}}, image_size: 32}}\n"
    ((place, path, what, _),) = problems_of(tmp_path, small)
    assert (place, path) == ("4:68", "teacher.attention.radius")
    assert what.startswith("stage 3: radius 3 is more than its 1 x 1 window")


def test_a_mistake_of_the_base_is_not_the_arms(tmp_path: Path) -> None:
    """What every arm inherits is said once; what two arms say wrongly is said of each."""
    (one,) = problems_of(tmp_path, f"train: {{compile: max}}\narms: {{b: {{}}, c: {{train.lr: 1}}}}\n{TWO}")
    assert one[0] == "4:18"
    told = problems_of(tmp_path, f"arms:\n  b: {{train.compile: max}}\n  c: {{train.compile: auto}}\n{TWO}")
    assert [(place, what) for place, _, what, _ in told] == [
        ("5:22", "xp cannot do this yet (arm b)"),
        ("6:22", "xp cannot do this yet (arm c)"),
    ]


def test_arms_that_set_makes_alike_are_let_be(tmp_path: Path) -> None:
    """`--set` tries something out: it may take from arms what told them apart."""
    (tmp_path / "spec.yaml").write_text(f"{HEAD}arms: {{b: {{train.lr: 2.0}}, c: {{train.lr: 3.0}}}}\n")
    assert load_spec(tmp_path / "spec.yaml", ["train.lr=1.0"]).arm_names == ["b", "c"]


def test_too_many_cells_are_refused_before_one_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "model_validate", None)  # nothing is validated but the spec itself
    monkeypatch.setattr("engine.load.spec_file._validate_whole", lambda _: (None, []))
    ((where, path, what, fix),) = problems_of(tmp_path, HUGE)
    assert (where, path) == ("4:1", "matrix")
    assert what == f"10,000,000,000 cells (1 arms at 10,000,000,000 matrix points), more than {MOST_CELLS:,}"
    assert fix == "compare fewer at once, or raise the limit: XP_MOST_CELLS=10000000000"


def test_the_limit_of_cells_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = "arms: {b: {}, c: {train.lr: 1.0}, d: {train.lr: 2.0}}\n"
    monkeypatch.setenv("XP_MOST_CELLS", "3")
    assert len(arms_of(load_spec(write_spec(tmp_path, arms)))) == 3
    monkeypatch.setenv("XP_MOST_CELLS", "2")
    ((where, path, what, fix),) = problems_of(tmp_path, arms)
    assert (where, path) == ("4:1", "arms")
    assert what == "3 cells (3 arms at 1 matrix points), more than 2"
    assert fix.endswith("XP_MOST_CELLS=3")


@pytest.mark.parametrize("text", ["many", "-1", "", "1e6"])
def test_a_limit_that_is_no_number_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_MOST_CELLS", text)
    with pytest.raises(XpError, match=f"XP_MOST_CELLS: '{text}' is no number of cells\nfix: set it to {MOST_CELLS}"):
        load_spec(write_spec(tmp_path, ""))


def test_arms_that_a_matrix_makes_alike_are_one(tmp_path: Path) -> None:
    """Every run of `c` would be a run of `b`: the matrix wins over what tells them apart."""
    arms = "arms:\n  b: {train.lr: 1.0}\n  c: {train.lr: 2.0}\nmatrix: {train.lr: [3.0, 4.0]}\n"
    ((where, path, what, _),) = problems_of(tmp_path, arms)
    assert (where, path, what) == ("6:3", "arms.c", "arm 'c' is the same as arm 'b'")


def test_arms_that_are_alike_at_one_point_are_two(tmp_path: Path) -> None:
    arms = "arms:\n  b: {student.attention: {kind: longformer, radius: 1}}\n"
    arms += "  c: {student.attention: {kind: longformer, radius: 2}}\n"
    matrix = "matrix: {student.attention.kind: [window, longformer]}\n"
    assert load_spec(write_spec(tmp_path, arms + matrix)).arm_names == ["b", "c"]


def test_arms_that_need_the_matrix_are_compared_at_its_points(tmp_path: Path) -> None:
    """Without the sizes that the matrix gives, these arms could not be validated at all."""
    sizes = "student.depths: [[1, 1, 1, 1]], student.dims: [[8, 16, 32, 32]], student.heads: [[1, 2, 2, 2]]"
    arms = "arms: {b: {student.arch: tiny_vit}, c: {student.arch: tiny_vit, train.lr: 1.0}}\n"
    assert load_spec(write_spec(tmp_path, f"{arms}matrix: {{{sizes}}}\n")).arm_names == ["b", "c"]


def test_every_cell_of_a_broken_base_says_its_own_mistake_too(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "train: {epochs: 0}\narms:\n  b: {train.lr: -1.0}\n  c: {data.split: x}\n")
    assert [(where, path) for where, path, _, _ in told] == [
        ("4:17", "train.epochs"),
        ("6:17", "train.lr"),
        ("7:19", "data.split"),
    ]


def test_who_waits_for_many_cells_is_told_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, told = write_spec(tmp_path, "arms: {a: {}, b: {train.lr: 1}, c: {train.lr: 2}}\n"), list[str]()
    load_spec(file, tell=told.append)
    assert told == [], "it is over before anybody waits"
    monkeypatch.setattr("engine.load.cells.TELL_SECONDS", -1.0)
    load_spec(file, tell=told.append)
    assert told == ["checked 0 of 3 cells", "checked 1 of 3 cells", "checked 2 of 3 cells"]
