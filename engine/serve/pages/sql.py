"""The page of sql: takes what was asked, gives what it shows."""

from __future__ import annotations

from engine.serve.view import Asked, View


def show_sql(asked: Asked) -> View:
    """Return the page."""
    return View("sql", "Sql", None)
