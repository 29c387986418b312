"""Printed figures beside ours: only under the paper's own conditions, in each experiment that has the network."""

from __future__ import annotations

import json
from typing import Any

from engine.report.paper.beside import set_beside
from engine.report.paper.evidence import Evidence, Record
from engine.report.published import UNMATCHED
from engine.report.sheet import Sheet
from engine.spec.paper import Conditions
from tests.analysis.answering import Answers
from tests.report.paper.printed import printed_rows
from tests.report.rows import make_rows, run_row

PRINTED = printed_rows()
ASKED = Conditions(image_size=224, classes=100, epochs=10)
SPLIT = "80/10/10"


def arm(name: str, kind: str, top1: float, side: int, batch: int) -> dict[str, Any]:
    settings = {
        "data": {"split": SPLIT, "image_size": side}, "train": {"batch_size": batch},
        "student": {"arch": "tiny_vit_5m", "windows": [7, 7, 14, 7], "attention": {"kind": kind}},
    }  # fmt: skip
    return run_row(name, 0, settings=settings, test_top1=top1)


def record(name: str = "first", side: int = 224, classes: int = 100, batch: int = 256) -> Record:
    runs = [arm("plain", "window", 0.70, side, batch), arm("sparse", "longformer", 0.72, side, batch)]
    pack = {"name": "pack", "value": json.dumps({"classes": classes})}
    return Record(Answers(), PRINTED, ASKED, {name: Evidence(name, Sheet(make_rows(runs)), {}, [], [pack])})


def texts(found: Record) -> list[str]:
    return [cell.text for cell in set_beside(found).tables[0].rows[0]]


def notes(found: Record) -> str:
    return " ".join(set_beside(found).tables[0].notes)


def test_ours_stands_beside_the_figure_of_the_same_network_and_conditions() -> None:
    assert texts(record())[-3:] == ["72.00 %", "+2.00 points", "+2.9 %"]
    assert set_beside(record()).found == 2, "accuracy and memory of that network at that split"
    assert set_beside(record("anything")).count == len(PRINTED)


def test_other_conditions_stand_beside_nothing_and_are_named() -> None:
    others = ((record(side=64), "64 px"), (record(classes=10), "10 classes"), (record(batch=64), "batch 64"))
    for found, told in others:
        assert texts(found)[-3] == UNMATCHED
        assert set_beside(found).found == 0
        assert f"nearest is first/sparse: {told}" in notes(found)


def test_what_a_run_would_be_is_said_where_none_corresponds() -> None:
    empty = Record(Answers(), PRINTED, ASKED)
    assert "It would be tiny_vit_5m with longformer attention at windows 7-7-14-7" in notes(empty)
    assert "nearest" not in notes(empty)


def test_figures_without_a_change_are_printed_too() -> None:
    names = [row[0].text for table in set_beside(record()).tables for row in table.rows]
    assert len(names) == len(PRINTED)
    assert "clip_vit: params" in names


def test_both_readings_of_a_change_are_shown() -> None:
    assert texts(record())[3:6] == ["-0.62 %", "-0.62 %", "-0.62 points"]
