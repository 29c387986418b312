"""The short form of controls: an arm names them, and each is an arm of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.load import load_spec
from tests.load.writing import arms_of, problems_of, write_spec

ARM = "arms:\n  a: {}\n  b:\n    prune: {ratio: 0.2, recover_epochs: 1}\n    controls: %s\n"


def test_each_control_is_an_arm_after_its_own(tmp_path: Path) -> None:
    spec = load_spec(write_spec(tmp_path, ARM % "[scratch, random]"))
    assert spec.arm_names == ["a", "b", "b_scratch", "b_random"]
    found = arms_of(spec)
    assert found["b_scratch"].prune is not None
    assert found["b_scratch"].prune.control == "scratch"
    assert found["b_random"].prune is not None
    assert (found["b_random"].prune.criterion, found["b_random"].prune.ratio) == ("random", 0.2)


def test_all_is_every_control(tmp_path: Path) -> None:
    spec = load_spec(write_spec(tmp_path, ARM % "all"))
    assert spec.arm_names[2:] == ["b_scratch", "b_none_longer", "b_random"]
    assert arms_of(spec)["b_none_longer"].prune is None


def test_an_arm_may_extend_a_control_and_inherits_no_controls(tmp_path: Path) -> None:
    spec = load_spec(write_spec(tmp_path, ARM % "[scratch]" + "  c: {extends: b_scratch, train.lr: 0.3}\n"))
    assert spec.arm_names == ["a", "b", "b_scratch", "c"]


@pytest.mark.parametrize(
    ("words", "what"), [("[scrach]", "there is no control 'scrach'"), ("3", "there is no control 3")]
)
def test_a_control_that_is_none_is_told_with_its_place(words: str, what: str, tmp_path: Path) -> None:
    told = problems_of(tmp_path, ARM % words)
    assert (told[0][1], told[0][2]) == ("arms.b.controls", what)
    assert told[0][0].startswith("8:")


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    told = problems_of(tmp_path, ARM % "[scratch]" + "  b_scratch: {train.lr: 0.2}\n")
    assert "there is such an arm" in told[0][2]


def test_a_control_that_an_arm_already_is_is_left_away(tmp_path: Path) -> None:
    text = "train: {epochs: 3}\narms:\n  a: {}\n  b:\n    train.epochs: 2\n    prune: {ratio: 0.2, recover_epochs: 1}\n"
    told = problems_of(tmp_path, text + "    controls: [none_longer]\n")
    assert told[0][3] == "leave the control none_longer away: a is that control already"
