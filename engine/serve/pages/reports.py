"""The page of reports: takes what was asked, gives what it shows."""

from __future__ import annotations

from engine.serve.view import Asked, View


def show_reports(asked: Asked) -> View:
    """Return the page."""
    return View("reports", "Reports", None)
