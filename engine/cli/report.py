"""The command report: takes names of experiments, or the file of a paper, gives pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import completion
from engine.cli.base import AsJson, HomeOption, app, find_fresh, print_json, say, tell
from engine.errors import QueryError, XpError
from engine.home.access import write_as_person
from engine.home.paths import Home

if TYPE_CHECKING:
    from engine.analysis.freeze import Change

CHANGED = 4  # the exit code of numbers that no longer are as they were frozen, like that of a refuted claim
PAPER_ENDS = (".yaml", ".yml")  # of what names a paper in a report's place: no experiment's name holds a dot


@app.command()
def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME...",
            help="experiments, a chapter each; or the file of a paper",
            autocompletion=completion.names_or_papers,
        ),
    ] = None,
    style: Annotated[
        list[str] | None, typer.Option("--format", metavar="NAME", help="md, html or tex; md and html by default")
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="a folder of your own pages; xp init --template lays one out",
            autocompletion=completion.templates,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="metrics of the tables of results, in this order",
            autocompletion=completion.metric_lists,
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="list the templates, and stop")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="default: report/NAME")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="list what the report has no numbers for and what filling it costs")
    ] = False,
    as_json: AsJson = False,
    against: Annotated[
        str | None, typer.Option(metavar="NAME", help="say which numbers changed since xp freeze; a name or a file")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Print the paper's tables and figures from the results; of a paper's file, its claims and figures answered."""
    from engine.analysis.freeze import list_changes
    from engine.analysis.snapshot import one_snapshot
    from engine.report import list_missing, list_templates, make_report

    if listed:
        for line in list_templates(template):
            tell(line)
        return
    if not names:
        raise QueryError("name an experiment", fix="xp status lists them; xp report --list lists the templates")
    if names[0].endswith(PAPER_ENDS):
        beside = {"--template": template, "--columns": columns, "--missing": missing, "--against": against}
        _report_paper(names, [word for word, value in beside.items() if value], style, out, home)
        return
    _check_together(names, against, is_json_alone=as_json and not missing)
    place = find_fresh(home)
    with one_snapshot(place) as snapshot:
        if missing:
            _tell_missing(place, {name: list_missing(snapshot, name) for name in names}, as_json=as_json)
            return
        changes = [] if against is None else list_changes(snapshot, names[0], against)
        if against is not None:
            _tell_changes(changes, against)
        chosen = [one.strip() for one in columns.split(",")] if columns is not None else None
        with write_as_person():
            paths = make_report(snapshot, names, style or None, out, template=template, columns=chosen)
        for path in paths:
            tell(str(path))
    if changes:
        raise typer.Exit(CHANGED)


def _check_together(names: list[str], against: str | None, *, is_json_alone: bool) -> None:
    if against is not None and len(names) > 1:
        raise QueryError("frozen numbers are of one experiment", fix=f"xp report {names[0]} --against {against}")
    if is_json_alone:
        raise XpError(
            "--json is for --missing", fix="xp report NAME --missing --json; all figures: xp sql --format json"
        )


def _tell_changes(changes: Sequence[Change], against: str) -> None:
    for change in changes:
        say(f"changed: {change}")
    say(f"{len(changes)} numbers are not as in {against}" if changes else f"every number is as in {against}")


def _report_paper(
    names: list[str], beside: list[str], style: list[str] | None, out: Path | None, home: Path | None
) -> None:
    """Print the page of a paper, which is alone on its page and has none of the options `beside`."""
    from engine.report.paper.making import make_paper_report

    others = [*names[1:], *beside]
    if others:
        fix = f"give xp report {names[0]} alone, and the experiments apart from it"
        raise XpError(f"{names[0]} is the file of a paper, and {others[0]} stands beside it", fix=fix)
    place = find_fresh(home)
    with write_as_person():
        paths = make_paper_report(place, Path(names[0]), tuple(style or ("md", "html")), out)
    for path in paths:
        tell(str(path))


def _tell_missing(home: Home, missing: dict[str, list[str]], *, as_json: bool) -> None:
    """The report's holes, then what experiments lack and what that costs, where it can be told here."""
    from engine.analysis.lacking import lacking_json, lacking_lines, recorded_lacking

    found = {name: recorded_lacking(home, name) for name in missing}
    if as_json:
        nothing: dict[str, Any] = {"needs": None, "total": None}
        told = {name: nothing if isinstance(one, str) else lacking_json(one) for name, one in found.items()}
        why = {name: one if isinstance(one, str) else None for name, one in found.items()}
        print_json([{"experiment": name, "holes": missing[name], "unknown": why[name], **told[name]} for name in found])
        return
    for name, one in found.items():
        for line in missing[name]:
            tell(line)
        for line in [one] if isinstance(one, str) else lacking_lines(one):
            tell(line)
