"""The page of teachers: takes what was asked, gives what it shows."""

from __future__ import annotations

from engine.serve.view import Asked, View


def show_teachers(asked: Asked) -> View:
    """Return the page."""
    return View("teachers", "Teachers", None)
