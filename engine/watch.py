"""Watching: takes a home and an experiment, shows its progress until nothing moves, gives the exit code.

It only looks. It starts a scheduler when one died, and leaves everything running when the watcher is interrupted.
"""

from __future__ import annotations

import time

from rich.console import Console, Group
from rich.live import Live

from engine.collect import collect
from engine.home import Home
from engine.show import progress_line, render_view
from engine.status import ExperimentView, read_status
from engine.worker import scheduler_alive, start_detached

LOOK = 0.25  # seconds between looks
LINE = 5.0  # seconds between lines where no terminal can be redrawn
CHECK = 2.0  # seconds between looks at the scheduler


def wait_for(home: Home, experiment: str, console: Console) -> int:
    """Show progress until the experiment stands still and its rows are published; return the exit code."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        view = _follow(home, experiment, live if console.is_terminal else None, console)
    console.print(render_view(view))
    collect(home, wait=60.0)
    return view.exit_code


def _follow(home: Home, experiment: str, live: Live | None, console: Console) -> ExperimentView:
    said = checked = time.monotonic()
    while True:
        view = read_status(home, experiment)[0]
        if not view.is_moving:
            return view
        now = time.monotonic()
        if live is not None:
            live.update(render_view(view), refresh=True)
        elif now - said >= LINE:
            console.print(progress_line(view), soft_wrap=True)
            said = now
        if now - checked >= CHECK:
            _keep_scheduled(home, console)
            checked = now
        time.sleep(LOOK)


def _keep_scheduled(home: Home, console: Console) -> None:
    if not scheduler_alive(home):
        console.print("the scheduler is gone: starting another one", style="yellow")
        start_detached(home)


def watch_status(home: Home, experiment: str | None, console: Console) -> None:
    """Redraw the status until interrupted."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(Group(*(render_view(view) for view in read_status(home, experiment))), refresh=True)
            time.sleep(4 * LOOK)
