"""Learning curves of an experiment's arms as JSON: takes what was asked, gives means with a band over seeds.

The form is what static/charts.js draws.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Row, Snapshot
from engine.serve.view import Asked, Raw
from store.metrics import METRICS

MOST_POINTS = 500  # epochs of a curve
FIRST = ("val_top1", "val_loss", "train_loss")  # what is shown where nothing was asked for
JSON = "application/json"


@dataclass(frozen=True)
class Choice:
    """What there is to draw (metrics, cells), and what is drawn."""

    metrics: Sequence[str]
    cells: Sequence[str]
    metric: str
    cell: str


def show_curves(asked: Asked) -> Raw:
    """Return the curves of the metric and cell that were asked for, or of the first that there are."""
    name = asked.path["experiment"]
    with asked.site.snapshot() as snapshot:
        choice = choose(snapshot, name, asked.word("metric"), asked.word("cell"))
        rows = _ask(snapshot, name, choice) if snapshot and choice.metric else []
    return Raw(json.dumps(_tell(choice, rows)).encode(), JSON, headers={"cache-control": "no-cache"})


def choose(snapshot: Snapshot | None, name: str, metric: str, cell: str) -> Choice:
    """Return what can be drawn of an experiment; what was asked for and is not there gives way to what is."""
    rows = snapshot.ask("serve_curve_names", name=name) if snapshot else []
    cells = list(dict.fromkeys(row["cell"] for row in rows))
    chosen = cell if cell in cells else next(iter(cells), "")
    there = [row["name"] for row in rows if row["cell"] == chosen]
    metrics = [*(one for one in FIRST if one in there), *(one for one in there if one not in FIRST)]
    return Choice(metrics, cells, metric if metric in metrics else next(iter(metrics), ""), chosen)


def _ask(snapshot: Snapshot, name: str, choice: Choice) -> list[dict[str, Any]]:
    return snapshot.ask("serve_arm_curves", name=name, cell=choice.cell, metric=choice.metric, most=MOST_POINTS)


def _tell(choice: Choice, rows: Sequence[Row]) -> dict[str, Any]:
    known = METRICS.get(choice.metric)
    factor, unit = _scale(choice.metric)
    series = [
        _series(arm, list(some), factor, at)
        for at, (arm, some) in enumerate(itertools.groupby(rows, key=lambda row: str(row["arm"])))
    ]
    has_band = any("low" in one for one in series)
    return {
        "title": known.label if known else choice.metric or "Learning curves", "x": "epoch", "y": unit,
        "series": series, "band": "lowest to highest seed" if has_band else "",
        "notes": _notes(rows), "marks": _marks(rows),
        "empty": "No job has logged a value by epoch yet. The first ones come when an epoch is over.",
    }  # fmt: skip


def _scale(metric: str) -> tuple[float, str]:
    """Return what a figure of SQL is multiplied by for readers, and its unit."""
    from engine.report import number_text  # behind it lie seconds of packages

    if metric not in METRICS:
        return 1.0, ""
    scale = number_text.scale_of(METRICS[metric])
    return scale.factor, scale.axis


def _series(arm: str, rows: Sequence[Row], factor: float, at: int) -> dict[str, Any]:
    told: dict[str, Any] = {"name": arm, "colour": at, "x": [row["epoch"] for row in rows]}
    told["y"] = [row["mean"] * factor for row in rows]
    if any(row["n"] > 1 for row in rows):
        told["low"] = [row["least"] * factor for row in rows]
        told["high"] = [row["most"] * factor for row in rows]
    return told


def _marks(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Where recovery after pruning begins."""
    found = sorted({row["before"] for row in rows if row["before"]})
    return [{"x": before, "name": "pruned"} for before in found]


def _notes(rows: Sequence[Row]) -> list[str]:
    from engine.report.sentences import say

    if not rows:
        return []
    counts = sorted({row["seeds"] for row in rows})
    told = f"n={counts[0]}" if len(counts) == 1 else f"n={counts[0]} to {counts[-1]}"
    fewer = list(dict.fromkeys(str(row["arm"]) for row in rows if row["n"] < row["seeds"]))
    notes = [say("curves_note", counts=told)]
    return notes + ([say("fewer_note", arms=", ".join(fewer))] if fewer else [])
