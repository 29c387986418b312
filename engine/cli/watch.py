"""Watching with keys: takes a home, shows it on a terminal's whole screen until somebody leaves.

What keys mean is in watcher.py, what is drawn in watch_screen.py; the terminal is restored by keys.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from engine.cli.keys import open_keys
from engine.cli.render import output_console
from engine.cli.status_text import experiment_screen, status_table
from engine.cli.watch_screen import draw_screen
from engine.cli.watcher import Watcher
from engine.home.paths import Home

LOOK = 1.0  # seconds between looks


def watch_with_keys(home: Home, name: str | None) -> None:
    """Watch until `q`. Raises KeyboardInterrupt for Ctrl-C; the terminal is as it was, and shows how things stood."""
    console, watcher = output_console(), Watcher(home, name)
    watcher.look()
    try:
        live = Live(console=console, auto_refresh=False, screen=True, redirect_stdout=False, redirect_stderr=False)
        with open_keys(live.stop, lambda: live.start(refresh=True)) as keys, live:
            _loop(watcher, live, console, keys.wait)
    finally:
        if watcher.name and watcher.view:
            console.print(experiment_screen(watcher.view, watcher.runs, (), console.width, console.height - 3))
        else:
            console.print(status_table(watcher.views, console.width, console.height - 3))


def _loop(watcher: Watcher, live: Live, console: Console, wait: Callable[[float], list[str]]) -> None:
    looked = time.monotonic()
    while not watcher.is_over:
        live.update(draw_screen(watcher, console.width, console.height), refresh=True)
        for key in wait(max(0.0, looked + LOOK - time.monotonic())):
            watcher.press(key)
        if time.monotonic() - looked >= LOOK:
            watcher.look()
            looked = time.monotonic()
