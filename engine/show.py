"""Showing: takes status views and plans, gives rich renderables and plain lines for a person's terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.estimate import Estimate
from engine.plan import Plan
from engine.status import ExperimentView, JobView

STATES = ("done", "running", "queued", "blocked", "paused", "failed", "cancelled")
COLOURS = {"done": "green", "running": "cyan", "failed": "red", "cancelled": "magenta", "paused": "yellow"}


def error_console() -> Console:
    """Everything that is not asked-for output goes to stderr."""
    return Console(stderr=True, highlight=False)


def clock_text(seconds: float) -> str:
    """Return `1h05m`, `2m10s` or `8s`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def size_text(count: float) -> str:
    """Return bytes as `3.4 MB` (powers of ten, as disks are sold)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def counts_text(counts: dict[str, int]) -> Text:
    parts = [Text(f"{counts[state]} {state}", COLOURS.get(state, "")) for state in STATES if counts.get(state)]
    return Text(", ").join(parts) if parts else Text("none")


def progress_line(view: ExperimentView) -> str:
    """One line without colours or cursor moves, for logs and pipes."""
    done, whole = view.job_counts.get("done", 0), len(view.jobs)
    now = "; ".join(f"{job.title}: {_beat_text(job)}" for job in view.running)
    left = f", about {clock_text(view.seconds_left)} left" if view.is_moving else ""
    return f"{view.experiment}: {done}/{whole} jobs, {view.share:.0%}{left}{'; ' + now if now else ''}"


def render_view(view: ExperimentView) -> RenderableType:
    """The whole experiment as a bar, and a bar for each running job."""
    grid = Table.grid(padding=(0, 1))
    left = f"about {clock_text(view.seconds_left)} left" if view.is_moving else ""
    grid.add_row(Text(view.experiment, "bold"), ProgressBar(1.0, view.share, width=30), f"{view.share:4.0%}", left)
    for job in view.running:
        grid.add_row(
            "  " + job.title, ProgressBar(1.0, job.beat.share, width=30), f"{job.beat.share:4.0%}", _beat_text(job)
        )
    return Group(grid, Text("  jobs: ").append_text(counts_text(view.job_counts)), *_failure_lines(view))


def _beat_text(job: JobView) -> str:
    beat = job.beat
    parts = [beat.phase or "starting"]
    if beat.epochs:
        parts.append(f"epoch {beat.epoch}/{beat.epochs}")
    if beat.rate:
        parts.append(f"{beat.rate:.0f} img/s")
    if beat.loss is not None:
        parts.append(f"loss {beat.loss:.3f}")
    return " ".join(parts)


def _failure_lines(view: ExperimentView) -> list[Text]:
    return [
        Text(f"  {job.state}: {job.title} ({job.job}): {job.reason or 'no reason given'}", "red")
        for job in view.failures
    ]


def status_table(views: list[ExperimentView]) -> RenderableType:
    """A row per experiment, then what runs and what failed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("experiment", "runs", "jobs", "progress", "left"):
        table.add_column(column)
    for view in views:
        left = clock_text(view.seconds_left) if view.is_moving else "-"
        runs, jobs = counts_text(view.runs), counts_text(view.job_counts)
        table.add_row(view.experiment, runs, jobs, f"{view.share:.0%}", left)
    running = [Text(f"  running: {job.title} ({job.job}): {_beat_text(job)}") for view in views for job in view.running]
    return Group(table, *running, *(line for view in views for line in _failure_lines(view)))


def plan_table(plan: Plan, estimate: Estimate) -> RenderableType:
    """The jobs of a plan: what is reused, what is left and what it costs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("job", "kind", "state", "for runs", "seconds"):
        table.add_column(column, justify="right" if column in ("for runs", "seconds") else "left")
    users = {job.key: sum(job.key in run.jobs.values() for run in plan.runs) for job in plan.jobs}
    for item in estimate.jobs:
        seconds = "-" if item.is_reused else f"{item.seconds:.1f}"
        name = item.job.job or f"provisional ({item.job.reason})"
        table.add_row(name, item.job.kind, item.state, str(users[item.job.key]), seconds)
    left = sum(not item.is_reused for item in estimate.jobs)
    total = f"{len(plan.runs)} runs, {len(plan.jobs)} jobs, {left} to do"
    return Group(table, Text(f"{total}: about {clock_text(estimate.seconds)}, {size_text(estimate.bytes)} of disk"))


class Layer(Protocol):
    """A row of a layer table, wherever it was made (the rooms that make it load torch, this one does not)."""

    @property
    def layer(self) -> str: ...
    @property
    def resolution(self) -> str: ...
    @property
    def window(self) -> str: ...
    @property
    def attention(self) -> str: ...
    @property
    def params(self) -> int: ...
    @property
    def macs(self) -> int: ...
    @property
    def saved_bytes(self) -> int: ...


def layer_table(title: str, rows: Sequence[Layer]) -> RenderableType:
    """The layers of one arm; MACs and saved bytes are for one image."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("layer", "map", "window", "attention", "params", "MMACs", "saved"):
        table.add_column(column, justify="right" if column in ("params", "MMACs", "saved") else "left")
    for row in rows:
        costs = (f"{row.params:,}", f"{row.macs / 1e6:.1f}", size_text(row.saved_bytes))
        table.add_row(row.layer, row.resolution, row.window, row.attention, *costs)
    return table
