"""Showing: takes status views and layers, gives rich renderables and plain lines for a person's terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from engine.inspect.progress_text import LISTED, beat_text, clock_text, size_text
from engine.inspect.status import ExperimentView, JobView
from store.amounts import counted
from store.escape import UNPRINTABLE, show_text

STATES = ("done", "running", "queued", "blocked", "paused", "failed", "cancelled")
PIPE_WIDTH = 400
PLAIN = "default"  # the cell of an experiment without a matrix
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
    return CleanConsole(stderr=True, width=_width_of(sys.stderr))


def output_console() -> CleanConsole:
    """What was asked for goes to stdout, so that `| less`, `| grep` and `> file` have it."""
    return CleanConsole(width=_width_of(sys.stdout))


def _width_of(stream: TextIO) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH


def split_cells(cells: Sequence[str]) -> tuple[str, list[str]]:
    """Return the head of a column of cells and their texts: what all name stands in the head alone.

    Without a matrix there is nothing to head.
    """
    told = ["" if cell == PLAIN else cell for cell in cells]
    axes = {tuple(part.partition("=")[0] for part in cell.split(", ")) for cell in told if cell}
    if len(axes) != 1:
        return ("cell" if axes else "", told)
    (names,) = axes
    return ", ".join(names), [", ".join(part.partition("=")[2] for part in cell.split(", ")) for cell in told]


def counts_text(counts: dict[str, int]) -> Text:
    parts = [Text(f"{counts[state]} {state}", COLOURS.get(state, "")) for state in STATES if counts.get(state)]
    return Text(", ").join(parts) if parts else Text("none")


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
    more = count_more(len(view.running) - LISTED, "running")
    counts = Text("  jobs: ").append_text(counts_text(view.jobs))
    return Group(grid, *more, counts, *reason_lines(view))


def reason_lines(view: ExperimentView, most: int = LISTED) -> list[Text]:
    """Why jobs failed, and why queued ones are there again; the first of each, as there may be very many.

    Of cancelled ones there is nothing to tell but how many they are.
    """
    waiting = [Text(f"  waiting: {name_job(view, job)}: {job.reason}", "yellow") for job in view.waiting[:most]]
    broken = [job for job in view.failures if job.state == "failed"]
    failed = [
        Text(f"  failed: {name_job(view, job)}: {job.reason or 'no reason given'}", "red") for job in broken[:most]
    ]
    return [*waiting, *failed, *count_more(view.jobs.get("failed", 0) - most, "failed"), *paused_lines(view)]


def paused_lines(view: ExperimentView) -> list[Text]:
    """What lets paused work go on; it does not by itself."""
    count = view.jobs.get("paused", 0)
    told = f"  paused: {view.experiment}: {counted(count, 'job')}; `xp resume {view.experiment}` lets them go on"
    return [Text(told, "yellow")] if count else []


def name_job(view: ExperimentView, job: JobView) -> str:
    """Name a job by whose it is, what it does there, and its id."""
    return f"{view.experiment}: {job.title} ({job.job})"


def count_more(number: int, what: str) -> list[Text]:
    return [Text(f"  and {number:,} more {what}: see --json", "dim")] if number > 0 else []


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
