"""The page of queue: takes what was asked, gives what it shows."""

from __future__ import annotations

from engine.serve.view import Asked, View


def show_queue(asked: Asked) -> View:
    """Return the page."""
    return View("queue", "Queue", None)
