"""The report of a set of images, as a person reads it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.core.data.survey import Survey
from engine.inspect.surveys import survey_lines, survey_path

SURVEY = Survey(
    classes={"cat": 3, "n01440764": 5},
    parts={},
    widths=(10, 20, 30),
    heights=(11, 21, 31),
    suffixes={".png": 7, ".jpg": 1},
    modes={"RGB": 6, "L": 2},
    grey=2,
    broken=[],
    duplicates=[["a", "b"]],
    across=[["a", "c"], ["d", "e"]],
    astride=[["f", "g"]],
)


def test_a_survey_is_told_line_by_line() -> None:
    assert list(survey_lines(SURVEY)) == [
        "8 images in 2 classes, 3 to 5 in one",
        "  cat: 3",
        "  n01440764 tench: 5",
        "width: 10 to 30 pixels, median 20",
        "height: 11 to 31 pixels, median 21",
        "files: 7 .png, 1 .jpg; modes: 6 RGB, 2 L; 2 look grey",
        "broken: 0",
        "the same or nearly the same image: 1",
        "  a = b",
        "the same image under different classes: 2",
        "  a = c",
        "  d = e",
    ]


def test_folders_of_the_set_are_told_with_what_is_kept() -> None:
    lines = list(survey_lines(replace(SURVEY, parts={"train": 6, "val": 2}, passed_over={".txt": 4})))
    assert "folders: 6 train, 2 val (data.given: merge splits all again, test keeps val as the test part)" in lines
    assert "passed over: 4 .txt" in lines
    assert lines[-2:] == ["the same image in different folders of train, val, test: 1", "  f = g"]
    lines = list(survey_lines(replace(SURVEY, parts={"train": 8})))
    assert "folders: 8 train (data.given: merge splits all again)" in lines


@pytest.mark.parametrize(("count", "rest"), [(10, []), (11, ["  and 1 more"]), (25, ["  and 15 more"])])
def test_ten_of_many_are_shown_and_the_rest_counted(count: int, rest: list[str]) -> None:
    broken = [f"{number}.png" for number in range(count)]
    lines = list(survey_lines(replace(SURVEY, broken=broken)))
    start = lines.index(f"broken: {count}")
    after = lines.index("the same or nearly the same image: 1")
    assert lines[start + 1 : after] == [*(f"  {name}" for name in broken[:10]), *rest]


@pytest.mark.parametrize(("count", "end"), [(10, "9"), (11, "1 more")])
def test_ten_of_a_group_are_shown_and_the_rest_counted(count: int, end: str) -> None:
    lines = list(survey_lines(replace(SURVEY, duplicates=[[str(number) for number in range(count)]])))
    line = lines[lines.index("the same or nearly the same image: 1") + 1]
    assert line.startswith("  0 = 1 = 2")
    assert line.split(" = ")[-1] == end


def test_class_names_that_differ_only_in_case_are_named() -> None:
    lines = list(survey_lines(replace(SURVEY, classes={"Cat": 3, "cat": 2, "dog": 1})))
    assert "class names that differ only in case: Cat, cat" in lines


def test_a_report_of_images_loads_no_torch() -> None:
    code = "import sys, engine.inspect.surveys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_large_group_of_copies_is_counted_and_the_first_named(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "ant"
    for place, count in ((folder, 31), (tmp_path / "set" / "bee", 1)):
        place.mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (70, 80), (count, 9, 9)).save(place / f"{number}.png")
    (line,) = [line for line in survey_lines(survey_path(folder.parent, lambda done, count: None)) if " = " in line]
    assert line.count(" = ") == 10
    assert line.endswith(" = 21 more")
