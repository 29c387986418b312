"""What a report says maps are worth: only what the intervals say, both controls apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from engine.report.maps import map_tables, worth_of
from engine.report.number_text import NONE
from engine.report.sheet import Sheet
from engine.report.tables import Table
from tests.report.rows import make_rows, run_row

CURVE = [0.9, 0.5, 0.1]


def gain(mean: float, std: float = 0.1) -> dict[str, float]:
    return {"mean": mean, "std": std}


def kind(chance: float, others: float, area: float = 0.25) -> dict[str, Any]:
    both = {"area": area, "curve": CURVE, "chance": gain(chance), "others": gain(others)}
    return {"deletion": both, "insertion": {**both, "area": 0.5}}


def row(arm: str, kinds: Mapping[str, Any], images: int = 100, **more: Any) -> dict[str, Any]:
    chance = {curve: {"area": 0.4, "curve": CURVE} for curve in ("deletion", "insertion")}
    told = {"images": images, "grid": 14, "steps": 2, "chance": chance, "kinds": dict(kinds)}
    looks = {"layers": dict.fromkeys(kinds, "stages.2"), "omitted": {}, "images": 4}
    return {"arm": arm, "cell": "default", "job": f"explain-{arm}", "seed": 0, "deletion": json.dumps(told),
            "looks": json.dumps(looks), "attention": None, "classes": None, **more}  # fmt: skip


def tables(*rows: dict[str, Any]) -> list[Table]:
    runs = [run_row(one["arm"], 0, one["cell"]) for one in rows]
    return map_tables(rows, Sheet(make_rows(runs)))


def notes(*rows: dict[str, Any]) -> str:
    return "\n".join(note for table in tables(*rows) for note in table.notes)


def test_areas_stand_beside_their_gains_with_intervals() -> None:
    (table,) = tables(row("a", {"gradcam": kind(0.05, 0.02)}))
    # 0.1 / sqrt(100) * t(0.975, 99)
    assert [cell.text for cell in table.rows[0]] == [
        "a", "Grad-CAM", "0.250", "+0.050 ± 0.020", "+0.020 ± 0.020",
        "0.500", "+0.050 ± 0.020", "+0.020 ± 0.020", "100",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("chance", "others", "word"),
    [
        (0.05, 0.05, "It does so image by image"),
        (0.05, 0.001, "tells one image from another is not shown"),
        (-0.05, 0.05, "less than chance does"),
        (0.001, 0.05, "is open for Grad-CAM of a (-0.019 to 0.021)"),
        (-0.001, -0.05, "is open for"),
    ],
)
def test_only_what_the_intervals_say_is_said(chance: float, others: float, word: str) -> None:
    said = notes(row("a", {"gradcam": kind(chance, others)}))
    assert word in said
    assert said.count("chance does") == 1


def test_tests_of_one_table_are_corrected_together() -> None:
    """0.022 +- 0.0198 alone is more than chance; as one of four it is not."""
    alone, four = ([row(arm, {"gradcam": kind(0.022, 0.022)}) for arm in arms] for arms in ("a", "abcd"))
    assert "more than chance does: the area" in notes(*alone)
    assert "more than chance does: the area" not in notes(*four)
    assert notes(*four).count("of b (") == 1


def test_one_image_says_nothing() -> None:
    (table,) = tables(row("a", {"gradcam": kind(0.5, 0.5)}, images=1))
    assert table.rows[0][3].text == NONE
    assert "chance does" not in notes(row("a", {"gradcam": kind(0.5, 0.5)}, images=1))


def test_kinds_that_a_network_has_not_are_told() -> None:
    looks = json.dumps({"layers": {}, "omitted": {"rollout": "no tokens"}, "images": 4})
    assert "a has no map of the kind rollout: no tokens." in notes(row("a", {"gradcam": kind(0, 0)}, looks=looks))


def test_heads_stand_one_below_the_other() -> None:
    heads = {"attention_entropy": [0.5, 0.75], "attention_distance": [12.0, 20.25], "global_mass": [0.4, 0.2],
             "global_mass_even": [0.3, 0.3]}  # fmt: skip
    dense = {name: heads[name] for name in ("attention_entropy", "attention_distance")}
    rows = [row(arm, {}, attention=json.dumps({"layer": "stages.2.blocks.1", "heads": one, "images": 4}))
            for arm, one in (("a", heads), ("b", dense))]  # fmt: skip
    (table,) = tables(*rows)
    assert [[cell.text for cell in line] for line in table.rows] == [
        ["a", "stages.2.blocks.1", "1", "50.0", "12.0", "40.0", "30.0"],
        ["a", "stages.2.blocks.1", "2", "75.0", "20.2", "20.0", "30.0"],
        ["b", "stages.2.blocks.1", "1", "50.0", "12.0", NONE, NONE],
        ["b", "stages.2.blocks.1", "2", "75.0", "20.2", NONE, NONE],
    ]


def test_an_experiment_without_kinds_of_maps_has_no_table() -> None:
    bare = {"arm": "a", "cell": "default", "job": "j", "seed": 0}
    assert tables(bare) == []
    assert not list(worth_of(bare))
