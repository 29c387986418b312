"""A report says what the images were: what was left out, what is there twice, and where a part is off its quota."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.collect import collect
from engine.report import make_report
from engine.report.images import image_facts
from store.journal import JournalWriter
from tests.helpers.synthetic import ARMS, SyntheticHome

PACK: dict[str, Any] = {
    "images": 121,
    "classes": 4,
    "skipped": 4,
    "left_out": ["/set/a/1.jpg", "/set.zip!b/2.jpg", "/set/b/3.jpg", "/set/b/4.jpg"],
    "duplicates": {"groups": 2, "images": 5, "across_labels": 1},
}
SIZES = {"train": 73, "val": 24, "test": 24}
SPLIT: dict[str, Any] = {"text": "60/20/20", **SIZES, "asked": SIZES, "largest_group": 3, "left_out": 0}


def lines_of(*facts: tuple[str, dict[str, Any]]) -> list[tuple[str, str]]:
    return list(image_facts([{"name": name, "value": json.dumps(value)} for name, value in facts]))


def test_broken_files_that_were_left_out_and_duplicates_are_counted_in_the_report(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    made.experiment("paper", ARMS)
    (pack,) = (job for job in made.home.jobs() if job.job.startswith("pack"))
    with JournalWriter(pack.attempt(1).journal) as journal:
        journal.fact("pack", PACK)
    collect(made.home)
    text = make_report(made.home, "paper", ("md",), tmp_path / "out")[0].read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("| Images |")]
    assert "121 in 4 classes; broken and left out: 4 (a/1.jpg, set.zip!b/2.jpg, b/3.jpg and 1 more)" in line
    assert "groups of the same or nearly the same image: 2 (5 images, groups across classes: 1)" in line


def test_a_whole_set_is_counted_and_no_more() -> None:
    nothing = {"skipped": 0, "left_out": [], "duplicates": {"groups": 0, "images": 0, "across_labels": 0}}
    lines = lines_of(("pack", {**PACK, **nothing}), ("split", SPLIT), ("split", {**SPLIT, "digest": "other"}))
    assert lines == [("Images", "121 in 4 classes"), ("Parts", "60/20/20: 73 train, 24 val, 24 test")]


def test_parts_that_are_off_their_quotas_say_what_was_asked() -> None:
    ((_, line),) = lines_of(("split", {**SPLIT, "train": 74, "val": 23, "left_out": 5}))
    assert "asked for 73/24/24, and up to 3 near-duplicates stay on one side" in line
    assert "5 left out that show what an image of the test folder shows" in line
