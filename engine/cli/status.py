"""The command status: all experiments on one screen, one of them with its runs, or either watched."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.base import AsJson, HomeOption, app, find_home, help_text, print_json, say
from engine.home.paths import Home

if TYPE_CHECKING:
    from engine.inspect.run_views import RunView
    from engine.inspect.status import ExperimentView, JobView

STATUS_HELP = help_text(
    """How things stand: counts by state, progress, time left, failures with their reasons, and what to do next.

    Of one experiment, its runs too. With --watch in a terminal, keys choose a run, show its log and curves, and cancel,
    retry or pause it; `?` tells them.""",
    ("xp status", "xp status quickstart", "xp status quickstart/sparse --all", "xp status quickstart --watch",
     "xp status --json"),
    "0, or with 2 where a name is unknown",
)  # fmt: skip


@app.command(help=STATUS_HELP)
def status(
    experiment: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", help="one, or EXPERIMENT/ARM, to see its runs")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="redraw until Ctrl-C; with keys in a terminal")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="all there is, also where it is more than a screen")
    ] = False,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    from engine.inspect.status import find_trouble, read_status, tell_shut
    from engine.schedule.lookup import find_experiment

    place = find_home(home)
    name = find_experiment(place, experiment.partition("/")[0]) if experiment else None
    if watch and not as_json:
        _watch(place, name)
    views = read_status(place, name)
    trouble = find_trouble(place, views) or tell_shut(place)
    if as_json:
        print_json({"experiments": [view.as_json() for view in views], "trouble": trouble} | _runs_json(place, name))
        return
    if not views:
        say("nothing was submitted here yet: xp submit SPEC")
        return
    _print(place, views, _runs_of(place, name, experiment) if name else None, everything=everything)
    if trouble:
        say(trouble)


def _watch(home: Home, name: str | None) -> None:
    from engine.cli.render import output_console

    if _is_terminal():
        from engine.cli.watch import watch_with_keys

        watch_with_keys(home, name)
        raise typer.Exit
    from engine.cli.progress import watch_status

    watch_status(home, name, output_console())


def _is_terminal() -> bool:
    """Whether somebody can press keys and see what comes of it."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _runs_of(home: Home, name: str, address: str | None) -> list[RunView]:
    """Return the runs of an experiment; of those alone that an address, or a run's id, means."""
    from engine.inspect.run_views import read_runs
    from engine.schedule.lookup import find_match

    match = find_match(home, address or name)
    only = {"run": [match.name], "arm": match.runs}.get(match.kind)
    return read_runs(home, name, only)


def _runs_json(home: Home, name: str | None) -> dict[str, Any]:
    return {} if name is None else {"runs": [run.as_json() for run in _runs_of(home, name, None)]}


def _print(home: Home, views: list[ExperimentView], runs: list[RunView] | None, *, everything: bool) -> None:
    from engine.cli.render import output_console
    from engine.cli.status_text import experiment_screen, status_table

    console = output_console()
    is_screen = sys.stdout.isatty() or "LINES" in os.environ
    # Two lines are left for what is said of the home, and one for the prompt.
    room = console.height - 3 if is_screen and not everything else None
    if runs is None:
        console.print(status_table(views, console.width, room))
    else:
        console.print(experiment_screen(views[0], runs, read_tails(home, views[0]), console.width, room))


def read_tails(home: Home, view: ExperimentView) -> list[tuple[JobView, tuple[str, ...]]]:
    """Return the first jobs that failed, each with the end of its log."""
    from engine.cli.status_text import TAIL_LINES, TOLD
    from engine.inspect.logs import tail_log

    failed = [job for job in view.failures if job.state == "failed"][:TOLD]
    return [(job, tail_log(home, job.job, TAIL_LINES)) for job in failed]
