"""Which page is at which address: a path with names in braces, and the function that makes it."""

from __future__ import annotations

from engine.serve.pages.compare import show_compare, show_compared_curve
from engine.serve.pages.curves import show_curves
from engine.serve.pages.experiment import show_experiment
from engine.serve.pages.home import show_home
from engine.serve.pages.origin import show_origin
from engine.serve.pages.pictures import show_chart, show_map
from engine.serve.pages.queue import show_queue
from engine.serve.pages.report import show_frozen, show_paper, show_report
from engine.serve.pages.reports import show_reports
from engine.serve.pages.run import show_run
from engine.serve.pages.run_files import show_curve, show_file, show_log
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

ANSWERS: dict[str, Page] = {
    "/e/{experiment}/curves": show_curves,
    "/e/{experiment}/chart/{chart}.svg": show_chart,
    "/e/{experiment}/map/{map}.png": show_map,
    "/e/{experiment}/origin": show_origin,
    "/report/{experiment}": show_report,
    "/paper/{paper}": show_paper,
    "/frozen/{experiment}": show_frozen,
    "/compare/curve": show_compared_curve,
    "/run/{run}/curve": show_curve,
    "/run/{run}/log": show_log,
    "/run/{run}/file/{job}/{name:path}": show_file,
}
"""What pages ask for beside themselves; it may need words that only they know."""
