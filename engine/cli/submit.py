"""The command submit: takes a spec or the file of a paper, leaves jobs in the queue and a scheduler at work."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.base import Executor, HomeOption, Overlays, Overrides, SpecFile, Trust, allow_code, app, find_home


@app.command()
def submit(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    wait: Annotated[bool, typer.Option("--wait", help="show progress and end with the experiment's exit code")] = False,
    priority: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="higher goes first; kept from the last submit if not given")
    ] = None,
    executor: Executor = None,
    on_cpu: Annotated[bool, typer.Option("--cpu", help="run all on the CPU, though the spec asks for a GPU")] = False,
    trial: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="as a trial of that name: what is registered stays as it is"),
    ] = None,
    no_start: Annotated[bool, typer.Option("--no-start", help="queue only; start no scheduler")] = False,
    fill: Annotated[
        bool,
        typer.Option(
            "--fill", help="queue what decides comparisons and fills cells, further seeds too, cheapest first"
        ),
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ARM", help="queue these arms alone for now; repeatable")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="with --fill: of all work together, as 90s, 30m, 8h or 2d")
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option(metavar="COMMAND|URL", help="what to run, or to send JSON to, when the experiment has ended"),
    ] = None,
    trust: Trust = False,
    home: HomeOption = None,
) -> None:
    """Queue what is missing and see that a scheduler runs. The same submit again does nothing twice.

    `xp submit SPEC --set train.epochs=1 --as trial` tries something beside what is registered under the spec's name; it
    shares its jobs, and `xp rm trial` takes it away again. Of a paper's file: each of its experiments in turn, the
    first with the highest priority.

    A command of --notify gets the facts as variables (XP_NOTIFY_EXPERIMENT, XP_NOTIFY_STATE, XP_NOTIFY_TEXT) and as
    JSON on its stdin, an address as the body of a POST. It is told once for a submission; if the scheduler is killed at
    that moment, once more, with the same id.
    """
    from engine.cli.submitting import Asked, load_asked, read_asked, submit_all, tell_next, wait_all
    from engine.schedule.worker import start_detached

    asked = read_asked(Asked(spec, priority, executor, on_cpu, trial, fill, tuple(only or ())), budget, notify)
    loaded = load_asked(asked, overrides or (), overlays or ())
    place = find_home(home, create=True)
    allow_code(loaded, place, trust=trust)
    done = submit_all(place, asked, loaded)
    # Of what was done before, somebody may still want to be told.
    if not no_start and (notify or any(one.has_work for one in done)):
        start_detached(place)
    if wait:
        raise typer.Exit(wait_all(place, [one.name for one in done]))
    tell_next(asked, done)
