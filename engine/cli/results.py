"""Commands about results: sql, rebuild, check, compare, trace, freeze."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import completion
from engine.cli.base import (
    ArmName,
    ExperimentName,
    HomeOption,
    Overlays,
    Overrides,
    SpecFile,
    app,
    find_fresh,
    find_home,
    say,
    tell,
)
from engine.cli.terminal import hand_out
from engine.errors import XpError
from engine.home.access import write_as_person
from engine.home.paths import Home

if TYPE_CHECKING:
    from engine.analysis.trace import Trace

DATA_FORMATS = ("csv", "json")  # read by programs: cells are as they are, but on a terminal


@app.command()
def sql(
    query: Annotated[
        str | None, typer.Argument(metavar="[QUERY]", help="one read-only statement; none: a prompt, or stdin")
    ] = None,
    style: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="table, csv, json, markdown or latex; into a file also parquet or arrow",
            autocompletion=completion.styles,
        ),
    ] = "table",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="write a file (- for stdout), with every row of csv, parquet and arrow"
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="take in what running jobs wrote first")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="rows at most; 10,000 where they are shown")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="seconds at most")] = 120.0,
    home: HomeOption = None,
) -> None:
    """Ask the results anything, read-only: `xp sql "select arm, mean from cells where metric = 'test_top1'"`."""
    from engine.analysis.query import NEED_ARROW, ROWS, answer_query

    place = find_home(home)
    if query is None and out is None and sys.stdin.isatty() and sys.stdout.isatty():
        from engine.cli.sql_prompt import Prompt

        Prompt(place, style, tell, fresh=fresh, most=limit or ROWS, seconds=timeout).run()
        return
    asked = query if query is not None else sys.stdin.read()
    if out is not None or style in NEED_ARROW:
        _write_answer(place, asked, style, out, fresh=fresh, most=limit, seconds=timeout)
        return
    text, note = answer_query(place, asked, style, fresh=fresh, most=limit or ROWS, seconds=timeout)
    (hand_out if style in DATA_FORMATS else tell)(text)
    if note:
        say(note)


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _write_answer(
    home: Home, query: str, style: str, out: Path | None, *, fresh: bool, most: int | None, seconds: float
) -> None:
    """Write an answer to a file, or to stdout where that leads to one."""
    from engine.analysis.query import NEED_ARROW, write_query

    file = None if out is None or str(out) == "-" else out
    if file is None and style in NEED_ARROW and _is_terminal():
        fix = f"write it to a file: -o answer.{style}; or let a program read it: xp sql ... --format {style} -o - | ..."
        raise XpError(f"{style} is not for a terminal", where="xp sql", fix=fix)
    with write_as_person():
        rows, note = write_query(home, query, style, file, fresh=fresh, most=most, seconds=seconds)
    if file is not None:
        say(f"{file}: {rows:,} rows")
    if note:
        say(note)


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
        _tell_searches(place)
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


def _tell_searches(home: Home) -> None:
    """Let status say how far searches are: what their looks wrote down is no part of an archive, and may be lost."""
    from engine.schedule.worker.rebuild import newest_records
    from engine.search.advance import tell_progress

    for record in newest_records(home):
        try:
            tell_progress(home, record["name"])
        except (XpError, ValueError) as error:
            say(f"how far the search of {record['name']} is, cannot be told: {str(error).splitlines()[0]}")


@app.command()
def check(spec: SpecFile, overrides: Overrides = None, overlays: Overlays = None, home: HomeOption = None) -> None:
    """Hold the spec's claims against the data; ends with 4 when one is refuted."""
    from engine.analysis.claims import check_claims, describe, exit_code, summarize
    from engine.analysis.submitted import list_departures
    from engine.load import load_spec

    loaded = load_spec(spec, overrides or (), overlays or ())
    place = find_fresh(home)
    judged = check_claims(place, loaded.name, loaded.judged_claims)
    for line in list_departures(place, loaded) if judged else ():
        say(f"warning: {line}")
    for one in judged:
        tell(describe(one))
    if judged:
        tell(summarize(judged))
    else:
        say(f"{loaded.name} claims nothing: add claims: to the spec")
    raise typer.Exit(exit_code(judged))


@app.command()
def compare(
    first: ArmName,
    second: ArmName,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="a column of the view `results`", autocompletion=completion.metrics)
    ] = "test_top1",
    anyway: Annotated[bool, typer.Option("--anyway", help="compare what is not comparable, with footnotes")] = False,
    home: HomeOption = None,
) -> None:
    """Paired statistics between two arms: over seeds, and over the same test images."""
    from engine.analysis.compare import compare_arms
    from engine.analysis.text import comparison_lines

    place = find_fresh(home)
    first, second = (_name_arm(place, name) for name in (first, second))
    for found in compare_arms(place, first, second, metric, anyway=anyway):
        for line in comparison_lines(found):
            tell(line)


def _name_arm(home: Home, text: str) -> str:
    """Return EXPERIMENT/ARM, of a run its arm; what names nothing in the queue may still be in the results."""
    from engine.schedule.lookup import find_arm

    if "@" in text:
        fix = f"leave the seed away: {text.partition('@')[0]}"
        raise XpError(f"{text} is one run, and arms are compared over their seeds", where="xp compare", fix=fix)
    try:
        return find_arm(home, text)
    except XpError:
        return text


@app.command()
def trace(
    arm: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT/ARM", help="or EXPERIMENT/ARM@SEED, or a run", autocompletion=completion.addresses
        ),
    ],
    metric: Annotated[
        str, typer.Argument(metavar="METRIC", help="a column of the view `results`", autocompletion=completion.metrics)
    ],
    diff: Annotated[bool, typer.Option("--diff", help="print what differed from the commit, too")] = False,
    home: HomeOption = None,
) -> None:
    """Lead a number back to its SQL, runs, jobs, attempts, commit, changes and machines."""
    from engine.analysis.trace import trace_number

    place = find_fresh(home)
    found = _trace_run(place, arm, metric) if "@" in arm else trace_number(place, arm, metric)
    for line in found.lines():
        tell(line)
    for path in found.changes if diff else ():
        hand_out(f"\n{path.read_text()}")


def _trace_run(home: Home, address: str, metric: str) -> Trace:
    """Return where the number of one run comes from; its cell is told beside it."""
    from dataclasses import replace

    from engine.analysis.trace import trace_number
    from engine.schedule.lookup import find_run

    run = find_run(home, address)
    found = trace_number(home, f"{run.experiment}/{run.arm}", metric)
    return replace(found, sources=tuple(source for source in found.sources if source.run == run.run))


@app.command()
def freeze(
    name: ExperimentName,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="default: NAME.frozen.json")] = None,
    home: HomeOption = None,
) -> None:
    """Write down every number of an experiment as it is now, to hold the paper against later."""
    from engine.analysis.freeze import freeze_numbers

    place = find_fresh(home)
    with write_as_person():
        tell(str(freeze_numbers(place, name, out)))
