"""How a status looks: takes views of experiments and runs, gives one screen; in a pipe, which has no end, all of it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.cli.render import COLOURS, counts_text, name_job, paused_lines, reason_lines, split_cells
from engine.inspect.progress_text import LISTED, beat_text, clock_text, left_text, time_left
from engine.inspect.run_views import METRIC, RunView, by_attention
from engine.inspect.status import ExperimentView, JobView, place_of
from store.amounts import counted

WIDE = 100  # columns from which on there is room for counts of jobs beside those of runs
FEW = 4  # lines of a kind where a screen has to hold them all
LEAST_ROWS = 3
TOLD = 3  # failures whose log is shown
TAIL_LINES = 5
MANY = 100  # runs
SHORT_ID = 12  # letters of a run's id: run- and eight of its digits name it
NONE = "-"


def status_table(views: Sequence[ExperimentView], width: int = WIDE, room: int | None = None) -> RenderableType:
    """A row per experiment, what can go on first, then what runs, waits, failed or is paused; `room` in lines."""
    most = LISTED if room is None else FEW
    notes = [line for view in views for line in _search_lines(view, most)]
    notes += [line for view in views for line in _running_lines(view, most)]
    notes += [line for view in views for line in reason_lines(view, most)]
    ordered = sorted(views, key=lambda view: not view.is_moving)
    if room is None:
        return Group(_experiment_rows(ordered, width), *notes)
    notes = [_one_line(line) for line in notes]
    # A line is the head, two are for what is left out; half of the rest is for notes where there are so many.
    body = max(2, room - 3)
    rows = min(len(views), body - min(len(notes), body // 2))
    left = min(len(notes), body - rows)
    more = _more(len(views) - rows, "experiment", "xp ls") + _more(len(notes) - left, "line", "xp status EXPERIMENT")
    return Group(_experiment_rows(ordered[:rows], width), *notes[:left], *more)


def _experiment_rows(views: Sequence[ExperimentView], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    heads = ("experiment", "runs", "jobs", "progress", "left")
    for head in heads if width >= WIDE else (head for head in heads if head != "jobs"):
        table.add_column(head)
    for view in views:
        left = time_left(view) or NONE
        jobs = [counts_text(view.jobs)] if width >= WIDE else []
        table.add_row(view.experiment, counts_text(view.runs), *jobs, f"{view.share:.0%}", left)
    return table


def _search_lines(view: ExperimentView, most: int) -> list[Text]:
    """Say how far an open search is, and what keeps it from asking: one that has ended asks for nothing more."""
    arms = view.searched[:most] if view.is_searching else ()
    lines = [Text(f"  searching: {'' if arm.arm == view.experiment else f'{view.experiment}: '}{arm}") for arm in arms]
    return [*lines, *_problem_lines(view)]


def _problem_lines(view: ExperimentView) -> list[Text]:
    told = view.search_problem.splitlines()
    head = f"  {view.experiment}: nothing could be asked for at the last look: "
    return [Text(head + told[0], "red"), *(Text(f"    {line}") for line in told[1:])] if told else []


def _running_lines(view: ExperimentView, most: int) -> list[Text]:
    return [Text(f"  running: {name_job(view, job)}: {beat_text(job)}") for job in view.running[:most]]


def _one_line(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _more(number: int, what: str, command: str) -> list[Text]:
    return [_one_line(Text(f"  and {counted(number, f'more {what}')}: {command}", "dim"))] if number > 0 else []


def experiment_screen(
    view: ExperimentView, runs: Sequence[RunView], tails: Sequence[tuple[JobView, Sequence[str]]], width: int,
    room: int | None = None,
) -> RenderableType:  # fmt: skip
    """One experiment: its runs, why what failed did with the end of its log, and the commands that come next."""
    head = _head_lines(view)
    below = [*_failure_lines(view, tails), *paused_lines(view), *next_lines(view)]
    below = below if room is None else [_one_line(line) for line in below]
    rows = len(runs) if room is None else max(LEAST_ROWS, room - len(head) - len(below) - 2)
    shown = list(runs) if rows >= len(runs) else by_attention(runs)[:rows]
    more = _more(len(runs) - len(shown), "run", f"xp status {view.experiment} --all")
    table = [run_table(shown, width)] if len(shown) <= MANY else plain_runs(shown)
    return Group(*head, *table, *more, *below)


def _head_lines(view: ExperimentView) -> list[Text]:
    title = f": {view.title}" if view.title and view.title != view.experiment else ""
    counts = Text("  runs: ").append_text(counts_text(view.runs)).append("; jobs: ").append_text(counts_text(view.jobs))
    searched = [_one_line(Text(f"  search: {arm}")) for arm in view.searched]
    return [
        _one_line(Text(f"{view.experiment}{title}", "bold")),
        counts.append(f"; {view.share:.0%}{left_text(view)}"),
        *searched,
        *_problem_lines(view),
    ]


def run_table(runs: Sequence[RunView], width: int = WIDE, chosen: int | None = None, *, ids: bool = True) -> Table:
    """A line for each run, in a narrow terminal with the beginning of its id; the one `chosen` stands out."""
    axes, points = split_cells([run.cell for run in runs])
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1 if width < WIDE else 2, 0, 0))
    for head in (
        "arm",
        *([axes] if axes else []),
        "seed",
        "state",
        "progress",
        METRIC,
        "left",
        *(["run"] if ids else []),
    ):
        is_number = head in ("seed", METRIC, "left")
        table.add_column(head, justify="right" if is_number else "left", no_wrap=True, overflow="ellipsis")
    for at, (run, point) in enumerate(zip(runs, points, strict=True)):
        cells: list[str | Text] = [run.arm, *([point] if axes else []), str(run.seed), *_run_cells(run)]
        shown = [run.run if width >= WIDE else run.run[:SHORT_ID]] if ids else []
        table.add_row(*cells, *shown, style="reverse" if at == chosen else "")
    return table


def _run_cells(run: RunView) -> tuple[Text, str, str, str]:
    left = NONE if run.seconds_left is None else clock_text(run.seconds_left)
    value = NONE if run.value is None else f"{100 * run.value:.1f} %"
    return Text(run.state, COLOURS.get(run.state, "")), f"{run.share:4.0%} {place_text(run)}".rstrip(), value, left


def plain_runs(runs: Sequence[RunView]) -> list[Text]:
    """The same without a table's layout, which takes long for hundreds of runs."""
    axes, points = split_cells([run.cell for run in runs])
    heads = ("arm", *([axes] if axes else []), "seed", "state", "progress", METRIC, "left", "run")
    rows = [heads] + [
        (run.arm, *([point] if axes else []), str(run.seed), *map(str, _run_cells(run)), run.run)
        for run, point in zip(runs, points, strict=True)
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(heads))]
    return [Text("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()) for row in rows]


def place_text(run: RunView) -> str:
    """Where a run is: phase, epoch and slot of the job that works for it, or how far the one came that waits."""
    job = run.job
    if job is None or (job.state != "running" and not job.beat.epochs):
        return job.kind if job is not None and job.state == "failed" else ""
    beat = job.beat
    at, of = (min(beat.epoch + 1, beat.epochs), beat.epochs) if beat.epochs else (beat.step, beat.steps)
    where = f"{beat.phase or 'starting'} {at}/{of}" if of else beat.phase or "starting"
    place = place_of(job.slot)
    return f"{where} on {place}" if place else where


def _failure_lines(view: ExperimentView, tails: Sequence[tuple[JobView, Sequence[str]]]) -> list[Text]:
    lines: list[Text] = []
    for job, tail in tails:
        tries = f" after {job.attempts} attempts" if job.attempts > 1 else ""
        lines.append(Text(f"failed: {job.title} ({job.job}){tries}: {job.reason or 'no reason given'}", "red"))
        lines += [Text(f"  | {line}", "dim") for line in tail]
    more = view.jobs.get("failed", 0) - len(tails)
    if more > 0:
        lines.append(Text(f"and {more:,} more failed: xp ls {view.experiment} --jobs", "dim"))
    return [*lines, *(Text(f"waiting: {job.title} ({job.job}): {job.reason}", "yellow") for job in view.waiting[:FEW])]


def next_lines(view: ExperimentView) -> list[Text]:
    """The commands that come next, as they are typed."""
    name, failed = view.experiment, [job for job in view.failures if job.state == "failed"]
    told: list[str] = []
    if failed:
        told += [f"xp logs {failed[0].job}", f"xp retry {name}"]
    elif view.jobs.get("cancelled"):
        told.append(f"xp retry {name}")
    if view.is_moving:
        told.append(f"xp status {name} --watch")
    elif view.jobs and set(view.jobs) <= {"done"}:
        told.append(f"xp report {name}")
    return [Text(f"next: {' · '.join(told)}", "bold")] if told else []
