"""Curves as charts.js draws them: takes chains of jobs and a metric, gives columns of x and y, with bands over seeds.

A network's curve goes over its jobs: what recovery after pruning logs goes on where training ended. Epochs count
from 1; time is that between the first value of a job and its last, without what lies between two jobs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.report.number_text import scale_of
from engine.serve.deltas import Axis, Watched
from engine.serve.site import Site
from engine.serve.view import Raw
from store.metrics import METRICS

Floats = NDArray[np.float64]
Along = Literal["epoch", "step", "time", "gpu-hours"]
Found = tuple[dict[str, tuple[Floats, Floats]], str]
WIDTH = 300  # parts of the axis; up to four points of each are drawn
GRID = 400  # points of a mean over seeds that logged at other places
MOST_JOBS = 240  # of one chart
MANY = 12  # jobs that are read one by one
PARTS = 100  # parts of the axis of each of many curves
AXES: Mapping[str, Axis] = {"epoch": "epoch", "step": "step", "time": "at", "gpu-hours": "at"}
LABELS = {
    "epoch": "epoch",
    "step": "step",
    "time": "hours of training since the first value",
    "gpu-hours": "GPU-hours of training since the first value",
}
SECONDS = 3600.0
BAND = "lowest to highest seed"


@dataclass(frozen=True)
class Chain:
    """The jobs of a network in the order in which they made it, and on how many GPUs (0: on a CPU, or unknown)."""

    jobs: tuple[str, ...]
    gpus: float = 0.0


@dataclass(frozen=True)
class Line:
    """What is told apart by a colour: its name, its place in the palette, and the chain of each seed."""

    name: str
    chains: tuple[Chain, ...]
    colour: int = 0


@dataclass(frozen=True)
class Ending:
    """Where a curve goes on: its last job, the place that this begins at, and the first x that it logged."""

    job: str
    begin: float
    first: float


@dataclass(frozen=True)
class Traced:
    """A curve, each (points,), x ascending, with NaN for what is not finite.

    `begins`: where its later jobs begin, and of which kind they are.
    """

    x: Floats
    y: Floats
    begins: tuple[tuple[float, str], ...] = ()
    ending: Ending | None = None


@dataclass(frozen=True)
class Chart:
    """A chart as charts.js knows it; `series` have x and y, and may have low, high and colour.

    `endings`: of each series that is one curve, where it goes on. `cursor`: up to where its jobs were read.
    """

    title: str
    x: str
    y: str
    series: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()
    marks: Sequence[Mapping[str, Any]] = ()
    band: str = ""
    empty: str = ""
    endings: Sequence[Ending] = ()
    cursor: str = field(default="", compare=False)  # nothing of it is drawn

    def as_raw(self) -> Raw:
        """Return it as an answer; a number that is not finite is null."""
        told = {"title": self.title, "x": self.x, "y": self.y, "series": list(self.series), "notes": list(self.notes),
                "marks": list(self.marks), "band": self.band, "empty": self.empty,
                "cursor": self.cursor}  # fmt: skip
        body = json.dumps({name: value for name, value in told.items() if value != ""}, allow_nan=False)
        return Raw(body.encode(), "application/json")


def make_chart(site: Site, lines: Sequence[Line], name: str, along: Along) -> Chart:
    """Return the chart of a metric: of each line its curve, over several seeds their mean and band."""
    jobs = list(dict.fromkeys(job for line in lines for chain in line.chains for job in chain.jobs))
    points, cursor = read_points(site, jobs[:MOST_JOBS], name, along)
    factor = value_factor(name)
    series: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    notes = _left_out(jobs)
    endings: list[Ending] = []
    for line in lines:
        traced = [trace(points, chain, along) for chain in line.chains]
        traced = [one for one in traced if len(one.x)]
        if traced:
            series.append({"name": line.name, "colour": line.colour, **columns(mean_of(traced), factor)})
            endings += [one.ending for one in traced if one.ending]
        if len(lines) == 1 and len(traced) == 1:
            marks = [{"x": x, "name": kind} for x, kind in traced[0].begins]
        notes += _odd(line.name, traced)
    metric = METRICS.get(name)
    unit = scale_of(metric).axis if metric else ""
    has_band = any("low" in one for one in series)
    if has_band:
        notes.append("Lines are means over seeds; where some have not come so far, over those that have.")
    title, band = metric.label if metric else name, BAND if has_band else ""
    return Chart(title, LABELS[along], unit, series, notes, marks, band, endings=endings, cursor=cursor)


def value_factor(name: str) -> float:
    """Return what a metric's values are multiplied by for readers."""
    metric = METRICS.get(name)
    return scale_of(metric).factor if metric else 1.0


def _left_out(jobs: Sequence[str]) -> list[str]:
    left = len(jobs) - MOST_JOBS
    return [f"{left} jobs are left out: a chart reads {MOST_JOBS}."] if left > 0 else []


def _odd(name: str, traced: Sequence[Traced]) -> list[str]:
    odd = sum(int((~np.isfinite(one.y)).sum()) for one in traced)
    return [f"{name}: not all of its values are finite; those are gaps."] if odd else []


def read_points(site: Site, jobs: Sequence[str], name: str, along: Along) -> Found:
    """Return x and y of each job that logged the metric, as far as it has come, and the cursor for what comes.

    Of more than MANY jobs those that are done are read in one go: each by itself would look through all that there is.
    """
    published = _published(site, jobs, name, along) if len(jobs) > MANY else {}
    moving = [job for job in jobs if job not in published]
    found = site.deltas.ask(Watched(tuple(moving), (name,), AXES[along], WIDTH)) if moving else None
    live = {one.job: (one.x, one.y) for one in found.series if len(one.x)} if found else {}
    points = {job: points for job, points in (published | live).items() if len(points[0])}
    return points, found.cursor if found else ""


def _published(site: Site, jobs: Sequence[str], name: str, along: Along) -> dict[str, tuple[Floats, Floats]]:
    """Return the curves of those of the jobs that are done, an empty one of what did not log the metric."""
    about = {"jobs": list(jobs), "name": name, "axis": AXES[along], "parts": PARTS}
    with site.snapshot() as snapshot:
        rows = snapshot.ask("serve_many_curves", **about) if snapshot else []
    return {row["job"]: (np.array(row["xs"] or (), float), np.array(row["values"] or (), float)) for row in rows}


def trace(points: Mapping[str, tuple[Floats, Floats]], chain: Chain, along: Along) -> Traced:
    """Return the curve of a chain of jobs, each put behind the one before."""
    xs, ys, begins, end = [np.empty(0)], [np.empty(0)], list[tuple[float, str]](), 0.0
    ending: Ending | None = None
    for job in chain.jobs:
        if job not in points:
            continue
        x, y = points[job]
        ending = Ending(job, end, float(x[0]))
        x = place(x, ending.first, along, chain.gpus) + end
        if end:
            begins.append((end, job.partition("-")[0]))
        xs, ys, end = [*xs, x], [*ys, y], float(x[-1])
    x, y = np.concatenate(xs), np.concatenate(ys)
    keep = np.diff(x, append=np.inf) > 0  # the last value of a place is its value
    return Traced(x[keep], y[keep], tuple(begins), ending)


def place(x: Floats, first: float, along: Along, gpus: float) -> Floats:
    """Return where the x of a job stand, counted from its beginning; `first` is the first that it logged."""
    if along == "epoch":
        return x + 1
    if along == "step":
        return x
    hours: Floats = (x - first) / SECONDS
    return hours * gpus if along == "gpu-hours" else hours


def mean_of(traced: Sequence[Traced]) -> tuple[Floats, ...]:
    """Return x and y of one curve, or of several x, mean, least and most over those that have come so far."""
    if len(traced) == 1:
        return traced[0].x, traced[0].y
    grid = np.unique(np.concatenate([one.x for one in traced]))
    if len(grid) > GRID:
        grid = np.linspace(grid[0], grid[-1], GRID)
    table = np.stack([_interpolated(one, grid) for one in traced])
    there = np.isfinite(table)
    is_any = there.any(axis=0)
    grid, table, there = grid[is_any], table[:, is_any], there[:, is_any]
    mean = np.where(there, table, 0).sum(axis=0) / there.sum(axis=0)
    return grid, mean, np.where(there, table, np.inf).min(axis=0), np.where(there, table, -np.inf).max(axis=0)


def _interpolated(one: Traced, grid: Floats) -> Floats:
    """A curve at the places of a grid; none before its start, after its end and at what is not finite."""
    fine = np.isfinite(one.y)
    if not fine.any():
        return np.full(len(grid), np.nan)
    found: Floats = np.interp(grid, one.x[fine], one.y[fine], left=np.nan, right=np.nan)
    return found


def columns(parts: tuple[Floats, ...], factor: float) -> dict[str, list[float | None]]:
    """Return columns for JSON: x, y and, of a mean over seeds, low and high; y in the unit that readers see."""
    names = ("x", "y", "low", "high")
    scaled = [parts[0], *(part * factor for part in parts[1:])]
    return {name: _listed(part) for name, part in zip(names, scaled, strict=False)}


def _listed(values: Floats) -> list[float | None]:
    # Six digits are more than a screen shows, and half as much to send.
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values.tolist()]
