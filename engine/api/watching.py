"""Progress where a person looks: a notebook's page that is drawn again, or lines on stderr, each with something new.

Neither ipywidgets nor IPython is needed: whose notebook this is, is known by what is loaded already.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from engine.api.showing import html_bar, html_text
from engine.inspect.progress_text import LISTED, beat_text, clock_text, progress_line
from engine.inspect.status import ExperimentView
from store.escape import show_text

LINE = 5.0  # seconds between lines


class Board(Protocol):
    """Where progress is shown; `tell` says what happened beside it."""

    def show(self, view: ExperimentView) -> None: ...
    def tell(self, text: str) -> None: ...


class Lines:
    """Lines on stderr, at most one in five seconds, and only what is new."""

    def __init__(self) -> None:
        self.said, self.at = "", 0.0

    def show(self, view: ExperimentView) -> None:
        line = progress_line(view)
        is_due = not view.is_moving or time.monotonic() - self.at >= LINE
        if line != self.said and is_due:
            self.tell(line)
            self.said, self.at = line, time.monotonic()

    def tell(self, text: str) -> None:
        print(show_text(text), file=sys.stderr, flush=True)


class Drawing:
    """A piece of a notebook's page; `draw` puts other HTML in its place."""

    def __init__(self, draw: Callable[[str], None]) -> None:
        self.draw, self.shown, self.told = draw, "", list[str]()

    def show(self, view: ExperimentView) -> None:
        page = view_html(view, self.told)
        if page != self.shown:
            self.draw(page)
            self.shown = page

    def tell(self, text: str) -> None:
        self.told.append(text)


def open_board() -> Board:
    """Return the page of the notebook that runs this, else lines."""
    draw = _jupyter() or _marimo()
    return Drawing(draw) if draw else Lines()


def _jupyter() -> Callable[[str], None] | None:
    """Return what draws below the cell of a Jupyter kernel, in one place; None outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if ipython is None or not hasattr(shell, "kernel"):
        return None
    handles: list[Any] = []

    def draw(page: str) -> None:
        html = ipython.display.HTML(page)
        if handles:
            handles[0].update(html)
        else:
            handles.append(ipython.display.display(html, display_id=True))

    return draw


def _marimo() -> Callable[[str], None] | None:
    marimo = sys.modules.get("marimo")
    if marimo is None or not marimo.running_in_notebook():
        return None
    return lambda page: marimo.output.replace(marimo.Html(page))


def view_html(view: ExperimentView, told: list[str] | tuple[str, ...] = ()) -> str:
    """Return an experiment as a bar, its counts, what runs, and why jobs failed."""
    left = f"about {clock_text(view.seconds_left)} left" if view.is_moving else state_of(view)
    counts = ", ".join(f"{number} {state}" for state, number in view.jobs.items() if number)
    rows = [_bar_row(f"<b>{html_text(view.experiment)}</b>", view.share, left)]
    rows += [_bar_row(html_text(job.title), job.share, beat_text(job)) for job in view.running[:LISTED]]
    failed = [f"failed: {job.title}: {job.reason or 'no reason given'}" for job in view.failures[:LISTED]]
    below = "".join(f"<div>{html_text(line)}</div>" for line in (f"jobs: {counts}", *failed, *told))
    return f"<div><table>{''.join(rows)}</table>{below}</div>"


def _bar_row(name: str, share: float, text: str) -> str:
    cells = (name, html_bar(share), f"{share:.0%}", html_text(text))
    return f"<tr>{''.join(f'<td style=text-align:left>{cell}</td>' for cell in cells)}</tr>"


def state_of(view: ExperimentView) -> str:
    """Return one word: running, queued, done, failed, cancelled, paused or blocked."""
    if view.is_moving:
        return "running" if view.jobs.get("running") else "queued"
    if view.exit_code == 0:
        return "done"
    return next((state for state in ("failed", "cancelled", "paused") if view.jobs.get(state)), "blocked")
