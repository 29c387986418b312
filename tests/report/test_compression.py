"""The section 'Compression': what was asked, reached and known of every compressed arm, beside its whole one."""

from __future__ import annotations

import pytest

from engine.report.compression import compression_section
from engine.report.sheet import Sheet
from engine.report.tables import Table
from tests.report.compressing import (
    MASK,
    PRUNE,
    SMALL,
    WHOLE,
    arms_of,
    change,
    compressed,
    ran,
    ratio,
    section,
    speed,
)
from tests.report.rows import make_rows


def row(table: Table, arm: str) -> dict[str, str]:
    """The texts of an arm by column."""
    (cells,) = [cells for cells in table.rows if cells[0].text == arm]
    return dict(zip(table.columns, (cell.text for cell in cells), strict=True))


def test_an_experiment_without_compressed_arms_has_no_section() -> None:
    assert compression_section(Sheet(make_rows(arms_of(whole=WHOLE), "whole")), None) is None


def test_sizes_stand_beside_their_share_of_the_whole_arm() -> None:
    sizes, _ = section([compressed("small"), compressed("mask")]).tables
    assert [cells[0].text for cells in sizes.rows] == ["whole", "small", "mask"], "the whole one is above"
    assert row(sizes, "small")["params"] == "800 (80.0 %)"
    assert row(sizes, "mask")["params"] == "1.00 k (100.0 %)"
    assert row(sizes, "mask")["params, non-zero"] == "700 (70.0 %)"
    assert row(sizes, "small")["params, non-zero"] == "800 (80.0 %)", "without a mask all of them count"
    assert row(sizes, "whole")["MACs, computed"] == "5.00 k"
    told = row(sizes, "small")
    assert (told["method"], told["asked"], told["reached"]) == ("smaller layers", "20.0 % of params", "20.0 %")
    assert row(sizes, "mask")["method"] == "mask"
    assert row(sizes, "whole")["asked"] == ""


def test_a_column_without_a_figure_is_left_out() -> None:
    sizes, known = section([compressed("small")], small=SMALL, whole=WHOLE).tables
    assert not {"control", "foretold", "measured"} & set(sizes.columns)
    assert sizes.words == sizes.columns.index("when") + 1
    assert known.columns == ["arm", "against", "test top-1 [%]"]


@pytest.mark.parametrize(("of_algorithm", "columns"), [(4000, 1), (3000, 2), (None, 2)])
def test_multiply_adds_are_said_once_where_both_counts_agree(of_algorithm: int | None, columns: int) -> None:
    whole = {"figures": {"params": 1000, "macs": 5000, "macs_algorithm": 5000}}
    small = {**SMALL, "figures": {"params": 800, "macs": 4000, "macs_algorithm": of_algorithm}}
    sizes = section([compressed("small")], small=small, whole=whole).tables[0]
    assert sum(name.startswith("MACs") for name in sizes.columns) == columns


def test_widths_from_another_network_are_told_by_their_sizes() -> None:
    scratch = {"prune": {**PRUNE, "method": "structured", "control": "scratch"}, "figures": {"params": 750}}
    sizes, _ = section([compressed("scratch")], scratch=scratch, whole=WHOLE).tables
    assert row(sizes, "scratch")["reached"] == "25.0 %"
    assert row(sizes, "scratch")["control"] == "scratch"


def test_a_share_of_latency_is_told_as_foretold_and_as_measured() -> None:
    fast = {"prune": {**PRUNE, "of": "latency", "method": "structured"}, "figures": {"prune_predicted": 0.21}}
    measured = ran(whole=speed(100.0), fast=speed(125.0, ratio(1.25, error=0.0)))
    told = row(section([compressed("fast")], [measured], fast=fast, whole=WHOLE).tables[0], "fast")
    assert (told["asked"], told["foretold"], told["measured"]) == (
        "20.0 % of latency",
        "21.0 %",
        "20.0 % [20.0 %, 20.0 %]",
    )


def test_a_quantised_arm_is_told_by_its_bits() -> None:
    small = {"quantize": {"backend": "onnxruntime", "bits": 8, "mode": "static"}, "figures": {"params": 1000}}
    told = row(section([compressed("int8")], int8=small, whole=WHOLE).tables[0], "int8")
    assert told["method"] == "int8 (onnxruntime, static)"
    assert told["params"] == "1.00 k (100.0 %)"


def test_controls_stand_beside_the_arm_and_missing_ones_are_named() -> None:
    changes = {"whole": change("whole", -0.02), "new": change("new", 0.03)}
    arm = compressed("small", controls={"scratch": "new"}, missing=("random",), changes=changes)
    known = section([arm, compressed("mask", None)]).tables[1]
    assert row(known, "small")["change [points]"] == "-2.0 ± 1.0"
    assert row(known, "small")["over scratch [points]"] == "+3.0 ± 1.0"
    assert "over none_longer [points]" not in known.columns
    assert row(known, "whole")["test top-1 [%]"].startswith("91.0 [")
    (lacks,) = [note for note in known.notes if note.startswith("What pruning alone did")]
    assert "small" in lacks
    assert "(random)" in lacks
    assert "(scratch)" not in lacks


def test_every_table_of_a_point_names_it() -> None:
    found = section([compressed("small")])
    assert [table.title for table in found.tables] == ["Asked and reached", "Accuracy, beside controls"]


def test_a_mask_is_held_against_a_whole_network_of_its_size_alone() -> None:
    beside = ran(whole=speed(100.0), mask=speed(100.0, ratio(1.0)))
    (line,) = section([compressed("small"), compressed("mask")], [beside]).sentences
    assert line.startswith("mask: 30.0 % of its parameters are zero, and that saves none of them and no time")
    assert section([compressed("mask", None)], [beside]).sentences == []
    larger = {**WHOLE, "figures": {"params": 1200}}
    assert section([compressed("mask")], [beside], whole=larger, mask=MASK).sentences == []
