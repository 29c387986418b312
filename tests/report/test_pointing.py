"""What a report says of maps and objects: a table where there are boxes, and of looking only what the tests say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.report.pointing import COLUMNS, Pointed, looking_text, pointing_tables
from engine.report.sheet import Sheet
from engine.report.tables import Table
from tests.report.rows import cell_rows, make_rows, run_row

SURE = {"hits": 9, "chance": 2.5, "others": 3.0, "chance_p": 0.001, "others_p": 0.002}
FIGURES = {"pointing_game": 0.9, "pointing_chance": 0.25, "pointing_others": 0.3, "box_energy": 0.4, "box_area": 0.2,
           "deletion_auc": 0.11, "insertion_auc": 0.22}  # fmt: skip


def map_row(arm: str, cell: str = "default", **told: Any) -> dict[str, Any]:
    fact = {"explained": 12, "counted": 10, "absent": 2, "cropped": 0, **SURE, **told}
    return {"arm": arm, "cell": cell, "job": f"explain-{arm}", "seed": 0, "maps": None, "classes": None,
            "boxes": json.dumps(fact)}  # fmt: skip


def tables(*rows: dict[str, Any], **more: Any) -> list[Table]:
    runs = [run_row(row["arm"], seed, row["cell"], **{**FIGURES, **more}) for row in rows for seed in (0, 1)]
    made = make_rows(runs, cells=cell_rows(runs, COLUMNS))
    return pointing_tables(rows, Sheet(made))


def notes(*rows: dict[str, Any]) -> str:
    return "\n".join(note for table in tables(*rows) for note in table.notes)


def test_figures_stand_beside_their_chance_and_the_number_of_images() -> None:
    (table,) = tables(map_row("a"))
    assert list(table.columns) == [
        "arm", "pointing game, hits [%]", "hits of a random map [%]", "hits on other images' objects [%]",
        "share of the map on the object [%]", "share of the image that it takes [%]",
        "deletion curve, area [probability]", "insertion curve, area [probability]", "images",
    ]  # fmt: skip
    assert [cell.text for cell in table.rows[0]] == [
        "a", "90.00", "25.00", "30.00", "40.00", "20.00", "0.110", "0.220", "10 of 12",
    ]  # fmt: skip


def test_without_boxes_there_is_no_table() -> None:
    assert tables({**map_row("a"), "boxes": None}) == []
    assert tables({"arm": "a", "cell": "default"}) == []


def test_each_point_of_the_matrix_has_its_own_table() -> None:
    made = tables(map_row("a", "one"), map_row("a", "two"), map_row("b", "two"))
    assert [(table.title, len(table.rows)) for table in made] == [("one", 1), ("two", 2)]


@pytest.mark.parametrize(
    ("p", "chance_p", "word"),
    [
        (0.049, 0.049, "looks at the object more than chance"),
        (0.05, 0.049, "or only where objects commonly lie, cannot be told"),
        (0.05, 0.05, "looks at the object more than chance cannot be told"),
        (1.0, 1.0, "looks at the object more than chance cannot be told"),
    ],
)
def test_a_network_looks_only_where_both_tests_say_so(p: float, chance_p: float, word: str) -> None:
    text = looking_text(Pointed("a", 0, 12, 10, 0, 9, 2.5, 3.0), p, chance_p)
    assert word in text
    assert ("Whether" in text or "whether" in text) == (p >= 0.05)


def test_p_is_that_of_the_weaker_test_after_holm_over_the_rows() -> None:
    assert "looks at the object more than chance: the highest place of its map hits in 9 of 10" in notes(map_row("a"))
    assert "(p 0.0020)" in notes(map_row("a"))
    weak: dict[str, Any] = {"others_p": 0.03}
    assert "looks at the object more than chance: " in notes(map_row("a", **weak))
    both = notes(map_row("a", **weak), map_row("b", **weak))
    assert "looks at the object more than chance: " not in both
    assert "a (seed 0) hits in 9 of 10 images, more than the 2.5 of random maps (p 0.0020)" in both
    assert "p below 0.001" in notes(map_row("a", chance_p=1e-9, others_p=1e-4))


def test_images_that_do_not_count_are_told() -> None:
    text = notes(map_row("a", counted=8, cropped=2))
    assert "Boxes for 10 of 12 explained images. Of 2 of them the object lies outside the centre crop" in text
    bare = notes({**map_row("a"), "boxes": json.dumps({"explained": 4, "counted": 0, "absent": 4, "cropped": 0})})
    assert "Boxes for 0 of 4 explained images." in bare
    assert "seed 0" not in bare, "nothing is said of a network that was asked about no image"
