"""Curves as JSON for a page's script: takes the address /points?job=J&name=N, gives what there is to draw.

    job=J&job=K   whose curves, at most JOBS
    name=N        which metrics; none: all
    axis=step     what stands along: step, epoch or at (unix seconds)
    width=600     the pixels that a curve has
    cursor=TEXT   from the last answer: only what came since

The answer is {"cursor", "series": [{"job", "name", "new", "x": [...], "y": [...]}]}. A series with `new` takes
the place of the one that is drawn, another is added to its end; a value that is not finite is null. The event `points`
of the stream names the jobs that have new lines, a space between.
"""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np

from engine.home.paths import OWN_NAME
from engine.serve.deltas import JOBS, NAMES, Axis, Delta, Series, Watched
from engine.serve.view import Asked, Raw

AXES = ("step", "epoch", "at")
LEAST_WIDTH, MOST_WIDTH = 50, 4000


def show_points(asked: Asked) -> Raw:
    """Return the curves; of a job that does not exist none."""
    delta = asked.site.deltas.ask(_watched(asked), asked.word("cursor"))
    return Raw(json.dumps(_as_json(delta), separators=(",", ":"), allow_nan=False).encode(), "application/json")


def _watched(asked: Asked) -> Watched:
    # A name of another kind would lead out of the folder of jobs.
    jobs = [job for job in dict.fromkeys(asked.all("job")) if OWN_NAME.fullmatch(job)]
    axis = asked.word("axis", "step")
    return Watched(
        tuple(jobs[:JOBS]),
        tuple(dict.fromkeys(asked.all("name")))[:NAMES],
        cast(Axis, axis if axis in AXES else "step"),
        asked.number("width", 600, LEAST_WIDTH, MOST_WIDTH),
    )


def _as_json(delta: Delta) -> dict[str, Any]:
    return {"cursor": delta.cursor, "series": [_series_json(one) for one in delta.series]}


def _series_json(one: Series) -> dict[str, Any]:
    y = one.y.tolist() if np.isfinite(one.y).all() else [v if np.isfinite(v) else None for v in one.y.tolist()]
    return {"job": one.job, "name": one.name, "new": one.is_anew, "x": one.x.tolist(), "y": y}
