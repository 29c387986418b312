"""What runs of another tool logged: takes rows of the store, gives tables, curves and what must be said."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engine.analysis.snapshot import Row
from engine.analysis.statistics import mean_test
from engine.report import number_text
from engine.report.charts.curves import Band, Curves, Point
from engine.report.sentences import say
from engine.report.sheet import ReportRows
from engine.report.tables import Cell, Table

TITLES = {"mlflow": "MLflow", "wandb": "W&B", "tensorboard": "TensorBoard", "neptune": "Neptune"}
ENDED_WELL = ("finished", "success", "")  # the tools' own words, in small letters
MOST_NAMED = 6


def is_imported(rows: ReportRows) -> bool:
    """Whether the runs of this experiment were run elsewhere, by something else."""
    return bool(rows.about.get("imported"))


def tool_title(rows: ReportRows) -> str:
    tool = str(rows.about["imported"])
    return TITLES.get(tool, tool)


def notice_text(rows: ReportRows) -> str:
    """Say that xp did not run these, and what follows; nothing of what it ran."""
    return say("imported", tool=tool_title(rows)) if is_imported(rows) else ""


def source_facts(rows: ReportRows) -> list[tuple[str, str]]:
    """Return where the runs are from, and how often that tool saw them end how."""
    words = json.loads(rows.about["spec"] or "{}").get("imported") or {}
    return [("Imported from", f"{tool_title(rows)}: {words.get('source', 'unknown')}")]


def ended_badly(rows: ReportRows) -> list[str]:
    """Say which runs did not end well by their tool's account: their last values are of a run that was cut off."""
    told = {f"{run['arm']} seed {run['seed']}": _status(run) for run in rows.runs}
    odd = {name: status for name, status in told.items() if status.lower() not in ENDED_WELL}
    if not odd:
        return []
    shown = [f"{name} ({status})" for name, status in list(odd.items())[:MOST_NAMED]]
    more = f" and {len(odd) - MOST_NAMED} more" if len(odd) > MOST_NAMED else ""
    return [say("imported_ended", count=len(odd), all=len(told), tool=tool_title(rows), which=", ".join(shown) + more)]


def _status(run: Row) -> str:
    settings = json.loads(run["settings"] or "{}")
    return str((settings.get("imported") or {}).get("status") or "")


def last_tables(rows: ReportRows) -> list[Table]:
    """Return a table for each point: arms, and the last value of each metric under its own name."""
    points = dict.fromkeys(row["cell"] for row in rows.imported)
    return [_last_table(rows, point, is_alone=len(points) == 1) for point in points]


def _last_table(rows: ReportRows, point: str, *, is_alone: bool) -> Table:
    held = [row for row in rows.imported if row["cell"] == point]
    names = [row["name"] for row in sorted(held, key=lambda row: row["place"])]
    columns, arms = list(dict.fromkeys(names)), dict.fromkeys(row["arm"] for row in held)
    figures = {(row["arm"], row["name"]): row for row in held}
    runs = {arm: ", ".join(run["run"] for run in rows.runs if run["arm"] == arm) for arm in arms}
    body = [[Cell(arm, runs[arm]), *(_cell(figures.get((arm, name)), runs[arm]) for name in columns)] for arm in arms]
    hidden = held[0]["names"] - len(columns)
    notes = [say("imported_last"), *([say("imported_hidden", count=hidden)] if hidden > 0 else [])]
    return Table("" if is_alone else point, ["arm", *columns], body, notes)


def _cell(row: Row | None, runs: str) -> Cell:
    if row is None or not row["n"]:
        return Cell(number_text.NONE, runs)
    found = None if row["std"] is None else mean_test(row["mean"], row["std"], row["n"])
    half = None if found is None else found.half
    return Cell(number_text.spread(row["mean"], half, number_text.significant), f"{row['name']} of {runs}")


def imported_curves(rows: ReportRows) -> list[Curves]:
    """Return a chart for each metric, a line for each arm, by step."""
    names = dict.fromkeys(row["name"] for row in rows.imported_curves)
    charts = [_chart(at, name, rows.imported_curves) for at, name in enumerate(names, 1)]
    return [chart for chart in charts if any(len(line) > 1 for line in chart.lines.values())]


def _chart(at: int, name: str, rows: Sequence[Row]) -> Curves:
    held = [row for row in rows if row["name"] == name]
    lines, bands = dict[str, list[Point]](), dict[str, list[Band]]()
    for row in held:
        lines.setdefault(row["arm"], []).append((row["step"], row["mean"]))
        if row["n"] > 1:
            bands.setdefault(row["arm"], []).append((row["step"], row["least"], row["most"]))
    arms, shown = held[0]["arms"], len({row["arm"] for row in rows})
    hidden = [say("imported_arms", shown=shown, all=arms)] if arms > shown else []
    return Curves(f"imported_{at}", name, name, lines, list(lines), bands=bands, notes=hidden, along="step")
