"""The page of runs: takes what was asked, gives what it shows."""

from __future__ import annotations

from engine.serve.view import Asked, View


def show_runs(asked: Asked) -> View:
    """Return the page."""
    return View("runs", "Runs", None)
