"""The page of experiment: takes what was asked, gives what it shows."""

from __future__ import annotations

from engine.serve.view import Asked, View


def show_experiment(asked: Asked) -> View:
    """Return the page."""
    return View("experiment", "Experiment", None)
