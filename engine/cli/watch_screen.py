"""What watching shows: takes a watcher and the size of a terminal, gives one screen that is never larger than that."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.cli.render import counts_text
from engine.cli.run_curves import draw_curves, read_curves
from engine.cli.status_text import WIDE, run_table
from engine.cli.watcher import Watcher
from engine.inspect.logs import tail_log
from engine.inspect.progress_text import left_text, time_left
from engine.spec.job_kinds import kind_in_id
from store.amounts import counted

LEAST_ROWS = 4
SHARE = 3  # of the screen's rows, beside a pane
HINTS = "j k choose · l log · c curves · p pause · r retry · x cancel · ? keys · q leave"
HINTS_ABOVE = "j k choose · enter runs · p pause · r retry · x cancel · ? keys · q leave"
HELP = (
    ("up, down, j, k", "choose a run, or an experiment; page up and down by ten"),
    ("enter, right", "an experiment's runs; a run's log"),
    ("l", "the log of the chosen run, as it grows"),
    ("c", "its curves: loss and accuracy by epoch"),
    ("p", "pause it, or let it go on"),
    ("r", "retry: a fresh chance for what failed or was cancelled"),
    ("x", "cancel it, after y"),
    ("escape, left", "back"),
    ("q, Ctrl-C", "leave; everything goes on running"),
)


def draw_screen(watcher: Watcher, width: int, height: int) -> RenderableType:
    """Return head, rows, the pane that is open, and a last line: a question, what came of an order, or the keys."""
    head = _head(watcher)
    inside = max(2, height - len(head) - 1)
    pane = (
        0
        if not watcher.pane or inside < LEAST_ROWS + 2
        else max(inside - max(LEAST_ROWS, inside // SHARE), inside // 2)
    )
    rows = _rows(watcher, width, max(2, inside - pane) - 1)
    drawn = _pane(watcher, width, pane - 1) if pane else []
    used = len(head) + min(len(watcher.keys), max(2, inside - pane) - 1) + 1 + len(drawn)
    return Group(*head, rows, *drawn, *(Text() for _ in range(height - 1 - used)), _foot(watcher))


def _line(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _head(watcher: Watcher) -> list[Text]:
    trouble = [_line(Text(line, "yellow")) for line in watcher.trouble.splitlines()[:1]]
    view = watcher.view
    if watcher.name is None or view is None:
        count = len(watcher.views)
        return [_line(Text(counted(count, "experiment"), "bold")), *trouble]
    head = Text(f"{view.experiment}  ", "bold").append(f"{view.share:.0%}{left_text(view)}; runs: ")
    return [_line(head.append_text(counts_text(view.runs))), *trouble]


def _rows(watcher: Watcher, width: int, room: int) -> Table:
    """As many rows as there is room for, the chosen one among them."""
    first = max(0, min(watcher.row - room // 2, len(watcher.keys) - room))
    if watcher.name is not None:
        return run_table(watcher.runs[first : first + room], width, watcher.row - first, ids=width >= WIDE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("experiment", "runs", "progress", "left"):
        table.add_column(head, no_wrap=True, overflow="ellipsis")
    for at, view in enumerate(watcher.views[first : first + room], first):
        left = time_left(view) or "-"
        style = "reverse" if at == watcher.row else ""
        table.add_row(view.experiment, counts_text(view.runs), f"{view.share:.0%}", left, style=style)
    return table


def _pane(watcher: Watcher, width: int, room: int) -> list[Text]:
    """Return the lines of the pane that is open, under a rule that names it."""
    if watcher.pane == "help":
        return [_rule("keys", width), *_help_lines(room)]
    job = _job_of(watcher)
    title = f"{watcher.pane} of {watcher.address}" + (f" ({job})" if job else "")
    if job is None:
        return [_rule(title, width), Text("  this run has no job yet", "dim")]
    lines = _log_lines(watcher, job, room) if watcher.pane == "log" else _curve_lines(watcher, width, room)
    return [_rule(title, width), *lines[:room]]


def _rule(title: str, width: int) -> Text:
    return _line(Text(f"── {title} ".ljust(width, "─"), "dim"))


def _help_lines(room: int) -> Sequence[Text]:
    return [_line(Text.assemble((f"  {keys:<16}", "bold"), text)) for keys, text in HELP[:room]]


def _job_of(watcher: Watcher) -> str | None:
    """Return the job that the chosen run is about now: what failed or runs, else the one that made its network."""
    run = watcher.run
    if run is None:
        return None
    is_begun = run.job is not None and run.job.attempts > 0
    return run.job.job if run.job is not None and is_begun else run.network_job


def _log_lines(watcher: Watcher, job: str, room: int) -> list[Text]:
    lines = tail_log(watcher.home, job, room)
    return [_line(Text(line)) for line in lines] or [Text("  it has written nothing yet", "dim")]


def _curve_lines(watcher: Watcher, width: int, room: int) -> list[Text]:
    """The curves of the run's network: of the one that works now where it trains, as it logs them."""
    run = watcher.run
    job = run.network_job if run is not None else None
    if run is not None and run.job is not None and run.job.attempts:
        kind = kind_in_id(run.job.job)
        job = run.job.job if kind is not None and kind.trains else job
    return draw_curves(read_curves(watcher.home, job) if job else {}, width, room)


def _foot(watcher: Watcher) -> Text:
    if watcher.question is not None:
        return _line(Text(watcher.question.text, "bold red"))
    if watcher.message:
        return _line(Text(watcher.message, "bold yellow"))
    return _line(Text(HINTS_ABOVE if watcher.name is None else HINTS, "dim"))
