"""How the maps point at the objects: takes the rows of maps with what their jobs counted, gives a table and sentences.

That a network looks at the object is said only where its hits are more than those of a random map (exact Poisson
binomial test) and more than its maps have on the objects of other images (permutation test); the larger p of the two
counts, after Holm over the networks of the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Row
from engine.analysis.statistics import holm
from engine.report import number_text
from engine.report.sentences import say
from engine.report.sheet import Sheet
from engine.report.tables import Cell, Table
from store.metrics import METRICS

ALPHA = 0.05
COLUMNS = (
    "pointing_game", "pointing_chance", "pointing_others", "box_energy", "box_area", "deletion_auc", "insertion_auc",
)  # fmt: skip


@dataclass(frozen=True)
class Pointed:
    """What one explained run counted, by the fact `boxes` of its job; sums over the counted images."""

    arm: str
    seed: int
    explained: int
    counted: int
    cropped: int
    hits: int = 0
    chance: float = 0.0
    others: float = 0.0
    chance_p: float = 1.0
    others_p: float = 1.0

    @classmethod
    def of(cls, row: Row) -> Pointed:
        told: Mapping[str, Any] = json.loads(row["boxes"])
        return cls(row["arm"], row["seed"], **{name: told[name] for name in told if name in cls.__dataclass_fields__})


def pointing_tables(maps: Sequence[Row], sheet: Sheet) -> list[Table]:
    """Return a table for each point of the matrix whose maps were held against boxes."""
    with_boxes = [row for row in maps if row.get("boxes")]
    points = [point for point in sheet.points if any(row["cell"] == point for row in with_boxes)]
    return [_pointing_table([row for row in with_boxes if row["cell"] == point], point, sheet) for point in points]


def _pointing_table(rows: Sequence[Row], point: str, sheet: Sheet) -> Table:
    pointed = [Pointed.of(row) for row in rows]
    metrics = [METRICS[name] for name in COLUMNS]
    columns = ["arm", *map(number_text.heading, metrics), "images"]
    body = [
        [
            Cell(one.arm, row["job"]),
            *(_figure_cell(sheet, one.arm, point, name) for name in COLUMNS),
            Cell(f"{one.counted} of {one.explained}", row["job"]),
        ]
        for one, row in zip(pointed, rows, strict=True)
    ]
    return Table("" if point == "default" else point, columns, body, _notes(pointed))


def _figure_cell(sheet: Sheet, arm: str, point: str, name: str) -> Cell:
    source = ", ".join(run["run"] for run in sheet.runs[arm, point])
    write = number_text.scale_of(METRICS[name]).write
    text = number_text.spread(sheet.mean(arm, point, name), sheet.half(arm, point, name), write)
    return Cell(text, f"{name} of {source}")


def _notes(pointed: Sequence[Pointed]) -> list[str]:
    counted = [one for one in pointed if one.counted]
    adjusted = [holm([getattr(one, name) for one in counted]) for name in ("chance_p", "others_p")]
    both = holm([max(one.chance_p, one.others_p) for one in counted])
    told = [looking_text(*each) for each in zip(counted, both, adjusted[0], strict=True)]
    return [*dict.fromkeys(_count_text(one) for one in pointed), *told, say("pointing_note"), say("mass_note")]


def _count_text(one: Pointed) -> str:
    text = say("boxed", counted=one.counted + one.cropped, explained=one.explained)
    return f"{text} {say('cropped_away', cropped=one.cropped)}" if one.cropped else text


def looking_text(one: Pointed, p: float, chance_p: float) -> str:
    """Return what may be said of one network: `p` is of both tests, `chance_p` of the one against random maps."""
    word = "looks" if p < ALPHA else "looks_somewhere" if chance_p < ALPHA else "looks_open"
    shown = number_text.significant(p if word == "looks" else chance_p, 2)
    return say(
        word,
        arm=one.arm,
        seed=one.seed,
        hits=one.hits,
        images=one.counted,
        chance=one.chance,
        others=one.others,
        p=shown if float(shown) >= 0.001 else "below 0.001",
    )
