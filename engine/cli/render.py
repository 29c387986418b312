"""Showing: takes status views and plans, gives rich renderables and plain lines for a person's terminal."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from engine.inspect.status import ExperimentView, JobView
from store.escape import UNPRINTABLE, show_text

if TYPE_CHECKING:  # a plan's table is drawn where a plan is there already; a status must not wait for its imports
    from engine.plan import Plan
    from engine.plan.estimate import Estimate
    from engine.plan.paper import PaperCost

STATES = ("done", "running", "queued", "blocked", "paused", "failed", "cancelled")
PIPE_WIDTH = 400
LISTED = 10  # jobs of a kind that get a line of their own
MOST_BAR, LEAST_NAME, BEAT_TEXT = 30, 24, 47  # letters
COLOURS = {"done": "green", "running": "cyan", "failed": "red", "cancelled": "magenta", "paused": "yellow"}


class CleanConsole(Console):
    """A console whose texts are texts: no escape sequence and no markup in them means anything."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            is_odd = segment.control is None and UNPRINTABLE.search(segment.text)
            yield Segment(show_text(segment.text), segment.style) if is_odd else segment


def error_console() -> CleanConsole:
    """Everything that is not asked-for output goes to stderr; in a pipe no line is broken, so that grep finds it."""
    width = None if sys.stderr.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return CleanConsole(stderr=True, width=width)


def output_console() -> CleanConsole:
    """What was asked for goes to stdout; in a pipe no line is broken there either, and nothing is coloured."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return CleanConsole(width=width)


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
    done, whole = view.jobs.get("done", 0), sum(view.jobs.values())
    left = f", about {clock_text(view.seconds_left)} left" if view.is_moving else ""
    now = "".join(f"; {job.title}: {beat_text(job)}" for job in view.running[:LISTED])
    return f"{view.experiment}: {done}/{whole} jobs, {view.share:.0%}{left}{now}"


def render_view(view: ExperimentView, width: int) -> RenderableType:
    """The whole experiment as a bar, and a bar for each running job; in a narrow terminal bars go before words."""
    # 6 for the percentage and the gaps.
    bar = max(0, min(MOST_BAR, width - LEAST_NAME - BEAT_TEXT - 6))
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(width=bar)
    grid.add_column(width=4)
    grid.add_column(width=min(BEAT_TEXT, max(width - LEAST_NAME - 6, width // 2)), no_wrap=True, overflow="ellipsis")
    left = f"about {clock_text(view.seconds_left)} left" if view.is_moving else ""
    grid.add_row(Text(view.experiment, "bold"), ProgressBar(1.0, view.share, bar), f"{view.share:4.0%}", left)
    for job in view.running[:LISTED]:
        grid.add_row(f"  {job.title}", ProgressBar(1.0, job.share, bar), f"{job.share:4.0%}", beat_text(job))
    more = _count_more(len(view.running) - LISTED, "running")
    counts = Text("  jobs: ").append_text(counts_text(view.jobs))
    return Group(grid, *more, counts, *_reason_lines(view))


def beat_text(job: JobView) -> str:
    """What a running job says of itself: phase, epoch (or what it counts), images/s, loss, the time it still needs."""
    beat = job.beat
    at, of = (min(beat.epoch + 1, beat.epochs), beat.epochs) if beat.epochs else (beat.step, beat.steps)
    where = f" {at}/{of}" if of else ""
    parts = [(beat.phase or "starting") + where]
    if beat.rate:
        parts.append(f"{beat.rate:.0f} images/s")
    if beat.loss is not None:
        parts.append(f"loss {beat.loss:.3f}")
    if beat.phase:
        parts.append(f"{clock_text(job.seconds_left)} left")
    return ", ".join(parts)


def _reason_lines(view: ExperimentView) -> list[Text]:
    """Why jobs failed, and why queued ones are there again; the first of each, as there may be very many.

    Of cancelled ones there is nothing to tell but how many they are.
    """
    waiting = [Text(f"  waiting: {_name_job(job)}: {job.reason}", "yellow") for job in view.waiting[:LISTED]]
    broken = [job for job in view.failures if job.state == "failed"]
    failed = [Text(f"  failed: {_name_job(job)}: {job.reason or 'no reason given'}", "red") for job in broken[:LISTED]]
    return [*waiting, *failed, *_count_more(view.jobs.get("failed", 0) - LISTED, "failed")]


def _name_job(job: JobView) -> str:
    return f"{job.title} ({job.job})"


def _count_more(number: int, what: str) -> list[Text]:
    return [Text(f"  and {number:,} more {what}: see --json", "dim")] if number > 0 else []


def status_table(views: Sequence[ExperimentView]) -> RenderableType:
    """A row per experiment, then what runs, what waits and what failed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("experiment", "runs", "jobs", "progress", "left"):
        table.add_column(column)
    for view in views:
        left = clock_text(view.seconds_left) if view.is_moving else "-"
        table.add_row(view.experiment, counts_text(view.runs), counts_text(view.jobs), f"{view.share:.0%}", left)
    running = [
        Text(f"  running: {_name_job(job)}: {beat_text(job)}") for view in views for job in view.running[:LISTED]
    ]
    return Group(table, *running, *(line for view in views for line in _reason_lines(view)))


def plan_table(plan: Plan, estimate: Estimate, notes: Sequence[str] = ()) -> RenderableType:
    """The jobs of a plan: what is reused, what is left and what it costs; then `notes`, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("job", "role", "state", "for runs", "seconds"):
        table.add_column(column, justify="right" if column in ("for runs", "seconds") else "left")
    for row, number in Counter(_plan_rows(plan, estimate)).items():
        table.add_row(f"{row[0]} ({number} jobs)" if number > 1 else row[0], *row[1:])
    left = sum(not item.is_reused for item in estimate.jobs)
    total = f"{len(plan.runs)} runs, {len(plan.jobs)} jobs, {left} to do"
    return Group(table, *(Text(line) for line in (f"{total}: {_plan_cost(plan, estimate)}", *notes)))


def paper_table(cost: PaperCost, notes: Sequence[str] = ()) -> RenderableType:
    """The experiments of a paper with what each adds; then the sum and `notes`, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("experiment", "runs", "jobs", "to do", "time", "disk"):
        table.add_column(column, justify="left" if column == "experiment" else "right")
    for one in cost.experiments:
        spent = "?" if one.seconds is None else clock_text(one.seconds)
        table.add_row(one.name, str(one.runs), str(one.jobs), str(one.left), spent, size_text(one.bytes))
    spent = "a time that is not known yet" if cost.seconds is None else f"about {clock_text(cost.seconds)}"
    runs, left = sum(one.runs for one in cost.experiments), sum(one.left for one in cost.experiments)
    total = (
        f"{len(cost.experiments)} experiments, {runs} runs, {left} jobs to do: {spent}, {size_text(cost.bytes)} of disk"
    )
    return Group(table, *(Text(line) for line in (total, *notes)))


def _plan_rows(plan: Plan, estimate: Estimate) -> Iterator[tuple[str, ...]]:
    """Yield a row for each job; jobs that have no id yet may give equal rows."""
    roles = {key: role for run in reversed(plan.runs) for role, key in reversed([*run.jobs.items()])}
    users = Counter(key for run in plan.runs for key in set(run.jobs.values()))
    for item in estimate.jobs:
        job = item.job
        seconds = "-" if item.is_reused else f"{item.seconds:.1f}" if job.job else "?"
        yield job.job or "provisional", roles.get(job.key, job.kind), item.state, str(users[job.key]), seconds


def _plan_cost(plan: Plan, estimate: Estimate) -> str:
    """Nothing is known of a plan's cost before its images are."""
    reasons = dict.fromkeys(job.reason for job in plan.jobs if job.reason)
    if reasons:
        return f"time and disk are not known yet, for {'; '.join(reasons)}"
    return f"about {clock_text(estimate.seconds)}, {size_text(estimate.bytes)} of disk"


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
