"""The line of a mistake is shown with a mark under its place, and nothing of what is nobody's business."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Problem, SpecError
from engine.load import load_spec
from engine.load.excerpts import MOST_LINE, mark_place, show_place, showing_places
from tests.load.writing import HEAD, write_spec


@pytest.mark.parametrize(
    ("line", "column", "marks"),
    [
        ("  optimiser: adamw", 3, "^^^^^^^^^"),
        ("  lr: '1e-3'", 7, "^^^^^^"),
        ("seeds: [1, 2]", 8, "^^^^^^"),
        ("a: b", 5, "^"),
        ("train: {lr: 1e-3}", 13, "^^^^"),
        ("\tlr: 1", 2, "^^"),
        ("name: My Study! # mine", 7, "^^^^^^^^^"),
        ("resources: {memory: 4 GB, cpus: 2}", 21, "^^^^"),
        ("seeds: !foo [0, 1]", 8, "^^^^"),
        ("a: *b c", 4, "^^"),
    ],
)
def test_the_mark_lies_under_the_word(line: str, column: int, marks: str) -> None:
    shown, below = mark_place(line, 12, column).split("\n")
    assert shown == f"  12 | {line.replace(chr(9), ' ')}"
    assert below == "     | " + " " * (column - 1) + marks


def test_every_problem_of_a_file_is_shown(tmp_path: Path) -> None:
    file = write_spec(tmp_path, "train: {epochs: 0, lrr: 1}\n")
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert [problem.excerpt.split("\n")[1] for problem in caught.value.problems] == [
        "     |                 ^",
        "     |                    ^^^",
    ]
    line = len(HEAD.splitlines()) + 1
    assert f"\n   {line} | train: {{epochs: 0, lrr: 1}}\n" in str(caught.value)


def test_a_set_is_marked_where_it_is_wrong(tmp_path: Path) -> None:
    file = write_spec(tmp_path, "train: {epochs: 3}\n")
    for text, start in (("train.epochs=x", len("--set train.epochs=")), ("train.epoch=3", len("--set "))):
        with pytest.raises(SpecError) as caught:
            load_spec(file, [text])
        (problem,) = caught.value.problems
        assert problem.where == f"--set {text}"
        assert problem.excerpt.split("\n")[1].index("^") == 2 + start


def test_nothing_is_shown_of_other_places(tmp_path: Path) -> None:
    (tmp_path / "far.yaml").write_text("secret: 1\n")
    near = tmp_path / "near"
    near.mkdir()
    (near / "long.yaml").write_text("x" * (MOST_LINE + 1))
    (near / "note.yaml").write_text("# a note\n")
    for place in (tmp_path / "far.yaml", near / "long.yaml", near / "gone.yaml", near / "note.yaml", near):
        problem = Problem(f"{place}:1:1", "a", "b", "c")
        assert show_place(problem, near) is problem
    assert show_place(Problem("somewhere", "a", "b", "c"), near).excerpt == ""


def test_what_is_shown_already_stays(tmp_path: Path) -> None:
    problem = Problem(f"{tmp_path / 'a.yaml'}:1:1", "a", "b", "c", "excerpt")
    with pytest.raises(SpecError) as caught, showing_places(tmp_path / "a.yaml"):
        raise SpecError([problem])
    assert caught.value.problems == (problem,)
