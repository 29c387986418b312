"""Sentences about maps by kind: for each a case where it is true and appears, and one where it must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.home.paths import Home
from engine.report.looks import find_looks
from engine.report.page import make_page
from engine.report.pictures import draw_map_charts
from store.metrics import MAP_WORDS
from tests.report.rows import make_rows, run_row
from tests.report.test_looks import leave_looks
from tests.report.test_maps import kind, notes, row

Told = Callable[[], str]


def worth(chance: float, others: float, **more: Any) -> Told:
    return lambda: notes(row("a", {"gradcam": kind(chance, others)}, **more))


def figure(*arms: str, kinds: tuple[str, ...] = ("received", "gradcam")) -> Told:
    @cache
    def told() -> str:
        with TemporaryDirectory() as folder:
            home = Home(Path(folder), Path(folder) / "cache")
            return " ".join(one.note for one in find_looks(home, [leave_looks(home, arm, kinds) for arm in arms]))

    return told


def charts(*rows: dict[str, Any]) -> Told:
    def told() -> str:
        made = make_rows([run_row("a", 0, "default")], maps=list(rows))
        return " ".join(one.note for one in draw_map_charts(Home(Path("none"), Path("none")), make_page("e", made)))

    return told


OMITTED = json.dumps({"layers": {}, "omitted": {"rollout": "it has none"}, "images": 4})
HEADS = json.dumps({"layer": "l", "heads": {"attention_entropy": [0.5], "attention_distance": [3.0]}, "images": 4})
FINDS, SOMEWHERE, MISSES, OPEN = worth(0.05, 0.05), worth(0.05, 0.0), worth(-0.05, 0.0), worth(0.0, 0.05)
OTHER = {"gradcam": "energy"}
BARE = {"arm": "a", "cell": "default", "job": "j", "seed": 0, "maps": None, "classes": None, "boxes": None}
MAP_CASES: dict[str, tuple[Told, Told]] = {
    "map_finds": (FINDS, SOMEWHERE), "map_finds_somewhere": (SOMEWHERE, FINDS), "map_misses": (MISSES, OPEN),
    "map_open": (OPEN, FINDS), "map_omitted": (worth(0.05, 0.05, looks=OMITTED), FINDS),
    "deletion_note": (OPEN, lambda: notes(row("a", {}, attention=HEADS))),
    "attention_note": (lambda: notes(row("a", {}, attention=HEADS)), OPEN),
    "looks_figure": (figure("a"), figure()),
    **{
        f"looks_{name}": (figure("a", kinds=(name,)), figure("a", kinds=(OTHER.get(name, "gradcam"),)))
        for name in MAP_WORDS
    },
    "deletion_chart": (charts({**BARE, **row("a", {"gradcam": kind(0, 0)}), "looks": None}), charts(BARE)),
}  # fmt: skip
