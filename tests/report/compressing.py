"""What an experiment tells of compressing, written by hand: a whole arm, one with smaller layers, a mask."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.analysis.compare import Comparison
from engine.analysis.compression import Compressed, Compression, Ran, Speed, Way
from engine.analysis.speeds import SpeedRatio
from engine.analysis.statistics import Interval
from engine.report.compression import CompressionSection, compression_section
from engine.report.sheet import Sheet
from tests.report.rows import cell_rows, make_rows, run_row

CELL = "default"
EAGER = Way("", "cpu", "fp32", 1, "eager")
METRICS = (
    "test_top1",
    "params",
    "params_nonzero",
    "macs",
    "macs_algorithm",
    "prune_achieved",
    "prune_predicted",
    "agreement_parent",
)
PRUNE = {"ratio": 0.2, "of": "params", "criterion": "l1", "scope": "layer", "when": "after", "recover_epochs": 2}


def ratio(times: float, error: float = 0.01, n: int = 6, of: str = "rounds") -> SpeedRatio:
    return SpeedRatio(math.log(times), error, n - 1.0, n, of)


def speed(rate: float, times: SpeedRatio | None = None, level: float | None = None, n: int = 6) -> Speed:
    level = rate if level is None else level
    return Speed(ratio(rate, n=n), SpeedRatio(math.log(level), 0.01, 5.0, n, "rounds"), times, (f"measure-{rate:g}",))


def change(against: str, mean: float, over: str = "seeds", half: float | None = 0.01) -> Comparison:
    low, high = (None, None) if half is None else (mean - half, mean + half)
    interval = Interval(mean, 0.01, low, high, 3, 0.005, 2.0, over)
    return Comparison("test_top1", CELL, ("arm", against), (0.6, 0.5), (("run-a",), ("run-b",)), interval, None, None,
                      None, None, (), ())  # fmt: skip


def ran(cell: str = CELL, way: Way = EAGER, front: Mapping[str, float] | None = None, **speeds: Speed) -> Ran:
    faster = {arm: replace(one, rate=replace(one.rate, log=one.rate.log + 1.0)) for arm, one in speeds.items()}
    return Ran(cell, way, 1, 64, speeds, faster, front or {})


def arms_of(count: int = 3, **settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Seeds of each arm, with the figures that `figures` in its settings says."""
    rows = []
    for arm, tree in settings.items():
        told = {name: value for name, value in tree.items() if name != "figures"}
        rows += [run_row(arm, seed, settings=told, test_top1=0.9 + 0.01 * seed, **tree.get("figures", {}))
                 for seed in range(count)]  # fmt: skip
    return rows


WHOLE = {"figures": {"params": 1000, "macs": 5000}}
SMALL = {"prune": {**PRUNE, "method": "structured"}, "figures": {"params": 800, "macs": 4000, "prune_achieved": 0.2}}
MASK = {"prune": {**PRUNE, "method": "unstructured"}, "figures": {"params": 1000, "params_nonzero": 700, "macs": 5000}}


def section(
    arms: Sequence[Compressed],
    measured: Sequence[Ran] = (),
    rows: Sequence[Mapping[str, Any]] = (),
    *,
    seeds: int = 3,
    **trees: Any,
) -> CompressionSection:
    """The section of arms with these settings, by default a whole one, a small one and one with a mask."""
    runs = arms_of(seeds, **(trees or {"whole": WHOLE, "small": SMALL, "mask": MASK}))
    cells = cell_rows(runs, METRICS)
    found = compression_section(Sheet(make_rows(runs, "whole", cells=cells)), Compression(arms, measured, list(rows)))
    assert found is not None
    return found


def compressed(arm: str, whole: str | None = "whole", **more: Any) -> Compressed:
    return Compressed(arm, CELL, whole, more.pop("controls", {}), more.pop("missing", ()), **more)
