"""The page of run: takes what was asked, gives what it shows."""

from __future__ import annotations

from engine.serve.view import Asked, View


def show_run(asked: Asked) -> View:
    """Return the page."""
    return View("run", "Run", None)
