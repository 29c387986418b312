"""Which page is at which address: a path with names in braces, and the function that makes it."""

from __future__ import annotations

from engine.serve.pages.compare import show_compare
from engine.serve.pages.experiment import show_experiment
from engine.serve.pages.home import show_home
from engine.serve.pages.queue import show_queue
from engine.serve.pages.reports import show_reports
from engine.serve.pages.run import show_run
from engine.serve.pages.runs import show_runs
from engine.serve.pages.sql import save_rows, show_sql
from engine.serve.pages.teachers import show_teachers
from engine.serve.points import show_points
from engine.serve.view import Page

PAGES: dict[str, Page] = {
    "/": show_home,
    "/e/{experiment}": show_experiment,
    "/runs": show_runs,
    "/compare": show_compare,
    "/run/{run}": show_run,
    "/queue": show_queue,
    "/teachers": show_teachers,
    "/sql": show_sql,
    "/sql/{form}": save_rows,
    "/reports": show_reports,
    "/points": show_points,
}
