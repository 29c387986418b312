"""Curves for a screen: takes the points of a series, gives the few of them that draw the same line.

In each of `width` parts of the axis the first, the last, the lowest and the highest point are kept (M4: Jugel et al.,
VLDB 2014), and the first that is not finite: so no spike is lost, and a browser draws as much for a hundred million
points as for a thousand. What is published is thinned by DuckDB (store/queries/serve_curves.sql) by the same rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PER_PART = 4  # points of a part that draw it
Floats = NDArray[np.float64]
Places = NDArray[np.int64]


def thin(x: Floats, y: Floats, width: int) -> Places:
    """Return the places, ascending, of the points that are kept: of at most PER_PART * width points all of them.

    x and y are (points,), x in any unit and in any order: places of one part are those whose x lie in it.
    """
    if len(x) <= PER_PART * width:
        return np.arange(len(x))
    parts = part_of(x, width)
    order = np.argsort(parts, kind="stable")
    parts = parts[order]
    starts = np.flatnonzero(np.diff(parts, prepend=-1))
    lasts = np.append(starts[1:], len(parts)) - 1
    spread = y[order]
    kept = [starts, lasts, *_extremes(spread, parts, starts)]
    return np.unique(order[np.concatenate(kept)])


def part_of(x: Floats, width: int) -> Places:
    """Return in which of `width` equal parts of the axis each x lies, counted from 0."""
    low, span = x.min(), x.max() - x.min()
    if span == 0:
        return np.zeros(len(x), dtype=np.int64)
    parts: Places = np.minimum(((x - low) * (width / span)).astype(np.int64), width - 1)
    return parts


def _extremes(y: Floats, parts: Places, starts: Places) -> list[Places]:
    """Return the first place of the lowest, the highest and a value that is not finite, of each part that has one."""
    finite = np.isfinite(y)
    low, high = np.where(finite, y, np.inf), np.where(finite, y, -np.inf)
    counts = np.diff(np.append(starts, len(y)))
    is_low = finite & (low == np.repeat(np.minimum.reduceat(low, starts), counts))
    is_high = finite & (high == np.repeat(np.maximum.reduceat(high, starts), counts))
    return [_firsts(mask, parts) for mask in (is_low, is_high, ~finite)]


def _firsts(mask: NDArray[np.bool_], parts: Places) -> Places:
    found = np.flatnonzero(mask)
    return found[np.unique(parts[found], return_index=True)[1]]
