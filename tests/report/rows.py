"""ReportRows of the store written by hand: an experiment of two points and unequal seeds, without a store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import mean, stdev
from typing import Any

from engine.report.sheet import ReportRows

MB = 1 << 20
FIGURES = ("test_top1", "params", "macs", "infer_images_per_second", "train_images_per_second", "cuda_peak_reserved")
T_QUANTILES = {1: 12.7062, 2: 4.3027, 3: 3.1824}  # two-sided 95 %, by degrees of freedom, as printed in any table
NOTHING = {"test_low": None, "test_high": None, "val_top1": None, "train_seconds": None, **dict.fromkeys(FIGURES)}


def run_row(
    arm: str, seed: int, cell: str = "default", settings: Mapping[str, Any] | None = None, **figures: Any
) -> dict[str, Any]:
    """One run, done unless it says otherwise; figures that are not given are none."""
    about = {"run": f"run-{arm}-{seed}-{cell}", "arm": arm, "cell": cell, "seed": seed, "state": "done"}
    tree = {"data": {"split": "60/20/20"}, **(settings or {})}
    return {**about, "split": tree["data"]["split"], "settings": json.dumps(tree), **NOTHING, **figures}


def cell_rows(runs: Sequence[Mapping[str, Any]], metrics: Sequence[str] = FIGURES) -> list[dict[str, Any]]:
    """What the view `cells` says of these runs, by the standard library."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for run in runs:
        for metric in metrics:
            if run.get(metric) is not None and isfinite(run[metric]):
                groups.setdefault((run["arm"], run["cell"], metric), []).append(run[metric])
    return [_cell_row(key, values) for key, values in groups.items()]


def _cell_row(key: tuple[str, str, str], values: Sequence[float]) -> dict[str, Any]:
    n, middle = len(values), mean(values)
    row = {"arm": key[0], "cell": key[1], "metric": key[2], "n": n, "mean": middle, "not_finite": 0}
    if n == 1:
        return row | {"std": None, "low": None, "high": None}
    half = T_QUANTILES[n - 1] * stdev(values) / n**0.5
    return row | {"std": stdev(values), "low": middle - half, "high": middle + half}


def make_rows(runs: Sequence[dict[str, Any]], baseline: str | None = None, **parts: Any) -> ReportRows:
    """All the rows of an experiment; `parts` are further fields of ReportRows, or `about` to be laid over the usual."""
    usual = {"title": "A title", "baseline": baseline, "submitted": "2026-01-02 03:04 UTC", "submission": 2}
    about = {**usual, "spec": None, "train_seconds": 75.0, **parts.pop("about", {})}
    rest = dict.fromkeys(("jobs", "origins", "curves", "teachers", "students", "bins", "maps", "published"), ())
    return ReportRows(about=about, runs=runs, **{"cells": cell_rows(runs), **rest, **parts})


def unequal_runs(cell: str = "default") -> list[dict[str, Any]]:
    """`base` on seeds 0 to 3 and `new` on seeds 1, 2 and 4: seeds 1 and 2 are common."""
    base = {0: (0.50, 500.0), 1: (0.60, 510.0), 2: (0.64, 520.0), 3: (0.70, 530.0)}
    new = {1: (0.63, 600.0), 2: (0.69, 660.0), 4: (0.90, 720.0)}
    same: dict[str, Any] = {
        "base": {"params": 21_000_000, "macs": 4_000_000_000},
        "new": {"params": 21_400_000, "macs": 3_800_000_000},
    }
    return [
        run_row(
            arm, seed, cell, test_top1=top1, infer_images_per_second=speed, train_images_per_second=speed / 10,
            cuda_peak_reserved=speed * 2 * MB, **same[arm],
        )
        for arm, seeds in (("base", base), ("new", new))
        for seed, (top1, speed) in seeds.items()
    ]  # fmt: skip
