"""Commands about results: sql, report, rebuild, check, compare, trace, freeze."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.base import AsJson, HomeOption, Overlays, Overrides, SpecFile, app, find_home, print_json, say, tell
from engine.cli.terminal import hand_out
from engine.errors import QueryError, XpError
from engine.home.access import write_as_person
from engine.home.paths import Home

DATA_FORMATS = ("csv", "json")  # read by programs: cells are as they are, but on a terminal


def _find_fresh(home: Path | None) -> Home:
    """Return the home with all its results taken in, as far as it can be written; say what is left out."""
    from engine.collect import collect

    place = find_home(home)
    found = collect(place, wait=60.0)
    if found.is_readonly:
        say("the home cannot be written: these are the results as they were published last")
    for line in found.damaged:
        say(f"left out, because it is damaged: {line}")
    return place


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="one read-only statement; none: a prompt, or stdin")] = None,
    style: Annotated[str, typer.Option("--format", help="table, csv, json, markdown or latex")] = "table",
    fresh: Annotated[bool, typer.Option("--fresh", help="take in what running jobs wrote first")] = False,
    limit: Annotated[int, typer.Option(min=1, help="rows at most")] = 10_000,
    timeout: Annotated[float, typer.Option(min=0.1, help="seconds at most")] = 120.0,
    home: HomeOption = None,
) -> None:
    """Ask the results anything, read-only: `xp sql "select arm, mean from cells where metric = 'test_top1'"`."""
    from engine.analysis.query import answer_query

    place = find_home(home)
    if query is None and sys.stdin.isatty() and sys.stdout.isatty():
        from engine.cli.sql_prompt import Prompt

        Prompt(place, style, tell, fresh=fresh, most=limit, seconds=timeout).run()
        return
    asked = query if query is not None else sys.stdin.read()
    text, note = answer_query(place, asked, style, fresh=fresh, most=limit, seconds=timeout)
    (hand_out if style in DATA_FORMATS else tell)(text)
    if note:
        say(note)


@app.command()
def report(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="experiments; a chapter each")] = None,
    style: Annotated[list[str] | None, typer.Option("--format", help="md, html or tex; md and html by default")] = None,
    template: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a folder of your own pages; xp init --template lays one out")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="metrics of the tables of results, in this order")
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
    """Print the paper's tables and figures from the results."""
    from engine.analysis.freeze import list_changes
    from engine.analysis.snapshot import one_snapshot
    from engine.report import list_missing, list_templates, make_report

    if listed:
        for line in list_templates(template):
            tell(line)
        return
    if not names:
        raise QueryError("name an experiment", fix="xp status lists them; xp report --list lists the templates")
    if against is not None and len(names) > 1:
        raise QueryError("frozen numbers are of one experiment", fix=f"xp report {names[0]} --against {against}")
    chosen = [one.strip() for one in columns.split(",")] if columns is not None else None
    place = _find_fresh(home)
    if as_json and not missing:
        raise XpError(
            "--json is for --missing", fix="xp report NAME --missing --json; all figures: xp sql --format json"
        )
    with one_snapshot(place) as snapshot:
        if missing:
            _tell_missing(place, {name: list_missing(snapshot, name) for name in names}, as_json=as_json)
            return
        if against is not None:
            changes = [change for name in names for change in list_changes(snapshot, name, against)]
            for change in changes:
                say(f"changed: {change}")
            say(f"{len(changes)} numbers are not as in {against}" if changes else f"every number is as in {against}")
        with write_as_person():
            paths = make_report(snapshot, names, style or None, out, template=template, columns=chosen)
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


@app.command()
def rebuild(
    queue: Annotated[bool, typer.Option("--queue", help="rebuild queue.db instead of the results")] = False,
    home: HomeOption = None,
) -> None:
    """Rebuild the results from the job folders, which are the truth; ends with 1 when some of them are damaged."""
    place = find_home(home)
    if queue:
        from engine.schedule.worker import list_damage, rebuild_queue

        say(f"queue.db holds {rebuild_queue(place)} jobs again")
        damaged = [str(one) for one in list_damage(place)]
    else:
        from engine.collect import rebuild as rebuild_results

        found = rebuild_results(place)
        say(f"results.duckdb is new: {found}")
        damaged = [*found.damaged]
    for line in damaged:
        say(f"damaged: {line}")
    if damaged:
        what = "what these files told of is left out" if not queue else "what these files told is not known"
        say(f"{what}\nfix: restore them from a copy and rebuild; or remove their folders and submit again")
        raise typer.Exit(1)


@app.command()
def check(spec: SpecFile, overrides: Overrides = None, overlays: Overlays = None, home: HomeOption = None) -> None:
    """Hold the spec's claims against the data; ends with 4 when one is refuted."""
    from engine.analysis.claims import check_claims, describe, exit_code, summarize
    from engine.analysis.submitted import list_departures
    from engine.load import load_spec

    loaded = load_spec(spec, overrides or (), overlays or ())
    place = _find_fresh(home)
    judged = check_claims(place, loaded.name, loaded.claims)
    for line in list_departures(place, loaded) if judged else ():
        tell(f"warning: {line}")
    for one in judged:
        tell(describe(one))
    if judged:
        say(summarize(judged))
    else:
        say(f"{loaded.name} claims nothing: add claims: to the spec")
    raise typer.Exit(exit_code(judged))


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="EXPERIMENT/ARM")],
    second: Annotated[str, typer.Argument(metavar="EXPERIMENT/ARM")],
    metric: Annotated[str, typer.Option(help="a column of the view `results`")] = "test_top1",
    anyway: Annotated[bool, typer.Option("--anyway", help="compare what is not comparable, with footnotes")] = False,
    home: HomeOption = None,
) -> None:
    """Paired statistics between two arms: over seeds, and over the same test images."""
    from engine.analysis.compare import compare_arms
    from engine.analysis.text import comparison_lines

    place = _find_fresh(home)
    for found in compare_arms(place, first, second, metric, anyway=anyway):
        for line in comparison_lines(found):
            tell(line)


@app.command()
def trace(
    arm: Annotated[str, typer.Argument(metavar="EXPERIMENT/ARM", help="or a run, as the tables of a report name it")],
    metric: Annotated[str, typer.Argument(help="a column of the view `results`")],
    diff: Annotated[bool, typer.Option("--diff", help="print what differed from the commit, too")] = False,
    home: HomeOption = None,
) -> None:
    """Lead a number back to its SQL, runs, jobs, attempts, commit, changes and machines."""
    from engine.analysis.trace import trace_number

    place = _find_fresh(home)
    found = trace_number(place, arm, metric)
    for line in found.lines():
        tell(line)
    for path in found.changes if diff else ():
        hand_out(f"\n{path.read_text()}")


@app.command()
def freeze(
    name: Annotated[str, typer.Argument(help="an experiment")],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="default: NAME.frozen.json")] = None,
    home: HomeOption = None,
) -> None:
    """Write down every number of an experiment as it is now, to hold the paper against later."""
    from engine.analysis.freeze import freeze_numbers

    place = _find_fresh(home)
    with write_as_person():
        tell(str(freeze_numbers(place, name, out)))
