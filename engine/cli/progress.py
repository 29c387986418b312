"""Watching: takes a home and an experiment, shows its progress until nothing moves, gives the exit code.

It only looks, but for starting a scheduler when one died. Interrupted, it leaves everything running.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from engine.cli.render import progress_line, render_view
from engine.cli.status_text import status_table
from engine.collect import collect
from engine.errors import HomeError, XpError
from engine.home.paths import Home
from engine.inspect.status import ExperimentView, find_trouble, read_status
from engine.schedule.worker import scheduler_alive, start_detached
from engine.schedule.worker.attempts import last_line
from engine.schedule.worker.lock import is_starting
from engine.schedule.worker.vanish import BRING_BACK
from store.queue import QueueFault

LOOK = 0.25  # seconds between looks
SLOW = 1.0  # seconds between looks where nobody waits for the end
LINE = 5.0  # seconds between lines where no terminal can be redrawn
CHECK = 2.0  # seconds between looks at the scheduler
# In a row, with no job done between them.
MOST_STARTS = 3


class Screen:
    """Where progress is shown: a terminal that is redrawn, or lines, each when it says something new."""

    def __init__(self, home: Home, console: Console, live: Live | None) -> None:
        self.home, self.console, self.live = home, console, live
        self.said, self.at = "", time.monotonic()
        self.well_at = time.monotonic()

    def show(self, views: Sequence[ExperimentView]) -> None:
        trouble = self._lasting_trouble(views)
        if self.live is not None:
            width = self.console.width
            last = [Text(trouble, "yellow")] if trouble else []
            self.live.update(Group(*(render_view(view, width) for view in views), *last), refresh=True)
        elif time.monotonic() - self.at >= LINE:
            self._say("\n".join([*map(progress_line, views), *([trouble] if trouble else [])]))

    def _lasting_trouble(self, views: Sequence[ExperimentView]) -> str:
        """A scheduler that is about to start is no trouble yet."""
        trouble = find_trouble(self.home, views)
        if not trouble:
            self.well_at = time.monotonic()
        # Two looks: a scheduler that was just started needs a moment.
        return trouble if time.monotonic() - self.well_at > 2 * CHECK else ""

    def _say(self, lines: str) -> None:
        if lines != self.said:
            self.console.print(lines, soft_wrap=True, markup=False)
        self.said, self.at = lines, time.monotonic()


@contextmanager
def open_screen(home: Home, console: Console) -> Iterator[Screen]:
    """Give a screen on `console`; what was drawn is taken away again."""
    if not console.is_terminal:
        yield Screen(home, console, None)
        return
    # Redirected, a terminal's stream would be cleaned of what is drawn (terminal.py); all goes through `console`.
    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as live:
        yield Screen(home, console, live)


def wait_for(home: Home, experiment: str, console: Console) -> int:
    """Show progress until nothing more can run and the rows are published; return the exit code."""
    with open_screen(home, console) as screen:
        try:
            view = _follow(home, experiment, screen)
        except (OSError, QueueFault):
            # Whatever was being read or written: that the home is gone explains it.
            _check_there(home)
            raise
    console.print(render_view(view, console.width) if console.is_terminal else status_table([view]))
    # The scheduler publishes too, but whoever waited wants it now.
    collect(home, wait=60.0)
    return view.exit_code


def _follow(home: Home, experiment: str, screen: Screen) -> ExperimentView:
    keeper, checked = Keeper(home, screen.console), time.monotonic()
    while True:
        view = _read_one(home, experiment)
        if not view.is_moving:
            return view
        screen.show([view])
        if time.monotonic() - checked >= CHECK:
            keeper.look(view)
            checked = time.monotonic()
        time.sleep(LOOK)


def _read_one(home: Home, experiment: str) -> ExperimentView:
    """Return how the experiment stands. Raises HomeError when the home, or the experiment in its queue, is gone."""
    found = read_status(home, experiment)
    if found:
        return found[0]
    _check_there(home)
    fix = "xp rebuild --queue makes it again from experiments/ and jobs/; or submit again"
    raise HomeError(f"the queue does not know {experiment} any more", where=str(home.queue_db), fix=fix)


def _check_there(home: Home) -> None:
    if not home.root.is_dir():
        raise HomeError("the home folder is gone while its jobs ran", where=str(home.root), fix=BRING_BACK)


class Keeper:
    """Sees that a scheduler works as long as that helps: one that ends at once, again and again, is given up."""

    def __init__(self, home: Home, console: Console) -> None:
        self.home, self.console = home, console
        self.starts = self.done = 0

    def look(self, view: ExperimentView) -> None:
        """Start a scheduler when there is none. Raises XpError when the last ones got nothing done."""
        if scheduler_alive(self.home) or is_starting(self.home):
            return
        done = view.jobs.get("done", 0)
        self.starts, self.done = (self.starts + 1 if done == self.done else 1), done
        if self.starts > MOST_STARTS:
            what = f"the scheduler ends as soon as it starts: {last_line(self.home.scheduler_log)}"
            raise XpError(what, where=str(self.home.scheduler_log), fix="run `xp doctor`; the log tells more")
        self.console.print("the scheduler is gone: starting another one", style="yellow")
        start_detached(self.home)


def watch_status(home: Home, experiment: str | None, console: Console) -> None:
    """Show the status until interrupted; what was shown last stays on the screen."""
    views: Sequence[ExperimentView] = ()
    try:
        with open_screen(home, console) as screen:
            while True:
                views = read_status(home, experiment)
                screen.show(views)
                time.sleep(SLOW)
    finally:
        if console.is_terminal:
            console.print(Group(*(render_view(view, console.width) for view in views)))
