"""What is thinned draws the same line, and is the same whether numpy or DuckDB does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.analysis.snapshot import Snapshot
from engine.collect import collect
from engine.serve.thinning import PER_PART, thin
from store.results import open_snapshot
from tests.helpers.synthetic import SyntheticHome

WIDTH = 50


def thin_plainly(x: NDArray[np.float64], y: NDArray[np.float64], width: int) -> list[int]:
    """The rule of the module, point by point."""
    if len(x) <= PER_PART * width:
        return list(range(len(x)))
    span = max(x) - min(x)
    parts: dict[int, list[int]] = {}
    for at, one in enumerate(x):
        part = 0 if span == 0 else min(width - 1, int((one - min(x)) * (width / span)))
        parts.setdefault(part, []).append(at)
    kept: set[int] = set()
    for places in parts.values():
        finite = [at for at in places if np.isfinite(y[at])]
        odd = [at for at in places if not np.isfinite(y[at])]
        kept |= {places[0], places[-1], *odd[:1]}
        if finite:
            kept |= {min(finite, key=lambda at: y[at]), max(finite, key=lambda at: y[at])}
    return sorted(kept)


def spiky(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    draw = np.random.default_rng(seed)
    x = np.cumsum(draw.integers(0, 30, count)).astype(np.float64)
    y = draw.normal(size=count)
    y[draw.integers(0, count, 5)] = 1e6
    y[draw.integers(0, count, 5)] = np.nan
    y[draw.integers(0, count, 3)] = -np.inf
    return x, y


@pytest.mark.parametrize("count", [1, 199, 200, 201, 3000])
@pytest.mark.parametrize("seed", [0, 1])
def test_thinning_is_what_its_rule_says(count: int, seed: int) -> None:
    x, y = spiky(count, seed)
    assert thin(x, y, WIDTH).tolist() == thin_plainly(x, y, WIDTH)


def test_points_out_of_order_are_thinned_alike() -> None:
    x, y = spiky(2000, 3)
    order = np.random.default_rng(4).permutation(len(x))
    assert thin(x[order], y[order], WIDTH).tolist() == thin_plainly(x[order], y[order], WIDTH)


def test_points_at_one_place_keep_their_extremes() -> None:
    y = np.arange(1000.0)
    assert thin(np.ones(1000), y, WIDTH).tolist() == [0, 999]


def test_no_spike_is_lost_and_the_screen_bounds_the_points() -> None:
    y = np.zeros(1_000_000)
    y[[7, 123_456, 999_990]] = 5.0, -3.0, np.nan
    kept = thin(np.arange(1e6), y, WIDTH)
    assert {7, 123_456, 999_990} <= {*kept.tolist()}
    assert len(kept) <= (PER_PART + 1) * WIDTH


@pytest.mark.parametrize("axis", ["step", "epoch", "at"])
def test_duckdb_thins_by_the_same_rule(tmp_path: Path, axis: str) -> None:
    made = SyntheticHome(tmp_path)
    x, y = spiky(1500, 5)
    _, journal = made.attempt(made.job("train-a", "train"), 1)
    with journal:
        for step, value in zip(x, y, strict=True):
            journal.metrics([("loss", value), ("short", 1.0)][: 1 + (step < 300)], step=int(step), epoch=int(step) // 9)
    collect(made.home)
    with open_snapshot(made.home, seconds=None) as db:
        chain = {"job": "train-a", "attempts": [1], "uptos": [1 << 61], "first": 0, "last": 1 << 40}
        found = Snapshot(made.home, db).ask("serve_curves", **chain, names=[], axis=axis, width=WIDTH)
        rows = {row["name"]: row for row in found}
        seqs, steps, epochs, ats = zip(*db.execute(
            "select seq, step, epoch, epoch(\"at\") from raw.metrics where name = 'loss' order by seq"
        ).fetchall(), strict=True)  # fmt: skip
    along = np.array({"step": steps, "epoch": epochs, "at": ats}[axis], dtype=np.float64)
    wanted = thin_plainly(along, y, WIDTH)
    assert [place - (1 << 40) for place in rows["loss"]["places"]] == [seqs[at] for at in wanted]
    np.testing.assert_array_equal(rows["loss"]["values"], y[wanted])
    assert len(rows["short"]["steps"]) == int((x < 300).sum())
