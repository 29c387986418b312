"""One script per promise: each prints a ratio against a peer or a baseline, measured in the same run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A script's own folder comes first on its path, where store.py would hide the package `store`.
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT / "benchmarks")]


@dataclass(frozen=True)
class Row:
    """One comparison; `ratio` above 1 means that ours is better, whichever way the unit points.

    `peer` and `ratio` are None where the peer is not installed.
    """

    case: str
    figure: str
    ours: float
    peer: float | None
    ratio: float | None
    unit: str
    n: int
