"""The page of compare: takes what was asked, gives what it shows."""

from __future__ import annotations

from engine.serve.view import Asked, View


def show_compare(asked: Asked) -> View:
    """Return the page."""
    return View("compare", "Compare", None)
