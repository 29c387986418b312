"""Evidence of an experiment: at what size it was run, which is the paper's only where all of it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.report.paper.evidence import Evidence, read_record
from engine.report.sheet import Sheet
from engine.spec.paper import Conditions
from tests.analysis.answering import Answers
from tests.report.rows import make_rows, run_row

PAPER = Conditions(image_size=224, classes=100)


def evidence(sides: tuple[int, ...], *classes: int) -> Evidence:
    runs = [run_row(f"arm{side}", 0, settings={"data": {"image_size": side, "split": "s"}}) for side in sides]
    packs: list[Any] = [{"name": "pack", "value": json.dumps({"classes": count})} for count in classes]
    return Evidence("first", Sheet(make_rows(runs)), {}, [], packs)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (evidence((64,), 10), "64 px, 10 classes"),
        (evidence((64,)), "64 px"),
        (evidence((64, 112), 10, 20), "112/64 px"),
        (evidence((224,), 100), "224 px, 100 classes (the paper's)"),
        (evidence((224,), 10), "224 px, 10 classes"),
        (evidence((112, 224), 100), "112/224 px, 100 classes"),
    ],
)
def test_the_size_of_a_verdict_is_the_papers_only_where_all_of_it_is(found: Evidence, text: str) -> None:
    assert found.size_text(PAPER) == text


def test_what_was_never_submitted_is_absent() -> None:
    assert read_record(Answers(), ["never"], PAPER).found == {}
