"""Whose number is bold: takes arms, gives for each point of the matrix the one that is really above the second."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from engine.analysis.compare import Comparison, arm_runs, compare_arms
from engine.analysis.fairness import apart_text
from engine.analysis.power import ALPHA
from engine.analysis.snapshot import Snapshot
from engine.errors import QueryError

METRIC = "test_top1"
Means = Mapping[str, Mapping[str, float]]


def find_leaders(snapshot: Snapshot, name: str, arms: Sequence[str], tests: int) -> dict[str, str]:
    """Return the arm of highest mean accuracy by point, where its difference to the second is real.

    One more test beside the `tests` of the table, by Bonferroni over all: which two it is of was chosen by their means.
    """
    leaders = {}
    for point, means in _means_of(snapshot, name, arms).items():
        first, second = sorted(means, key=lambda arm: -means[arm])[:2] if len(means) > 1 else ("", "")
        found = _compare_at(snapshot, f"{name}/{first}", f"{name}/{second}", point) if second else None
        if found is not None and _is_above(found, tests):
            leaders[point] = first
    return leaders


def _is_above(found: Comparison, tests: int) -> bool:
    """Whether the first is really better, on common seeds too, and on the same test images as the second."""
    is_told = found.p is not None and found.p * (tests + 1) < ALPHA
    return is_told and found.difference.mean > 0 and not apart_text(found.unfair, METRIC)


def _means_of(snapshot: Snapshot, name: str, arms: Sequence[str]) -> Means:
    """Return point -> arm -> mean over its finite seeds."""
    seen: dict[str, dict[str, list[float]]] = {}
    for arm in arms:
        for row in arm_runs(snapshot, f"{name}/{arm}", METRIC):
            if row[METRIC] is not None and math.isfinite(row[METRIC]):
                seen.setdefault(row["cell"], {}).setdefault(arm, []).append(row[METRIC])
    return {point: {arm: sum(held) / len(held) for arm, held in by_arm.items()} for point, by_arm in seen.items()}


def _compare_at(snapshot: Snapshot, first: str, second: str, point: str) -> Comparison | None:
    try:
        compared = compare_arms(snapshot, first, second, METRIC, anyway=True)
    except QueryError:  # no common seed
        return None
    return next((one for one in compared if one.cell == point), None)
