"""Watching in a terminal: takes a home and an experiment, shows progress until nothing moves, gives the exit code."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from engine.cli.render import render_view
from engine.cli.status_text import status_table
from engine.collect import collect
from engine.home.paths import Home
from engine.inspect.following import CHECK, follow
from engine.inspect.progress_text import progress_line
from engine.inspect.status import ExperimentView, find_trouble, read_status

SLOW = 1.0  # seconds between looks where nobody waits for the end
LINE = 5.0  # seconds between lines where no terminal can be redrawn


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

    def tell(self, text: str) -> None:
        self.console.print(text, style="yellow")

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
        view = follow(home, experiment, lambda view: screen.show([view]), screen.tell)
    console.print(render_view(view, console.width) if console.is_terminal else status_table([view]))
    # The scheduler publishes too, but whoever waited wants it now.
    collect(home, wait=60.0)
    return view.exit_code


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
