"""Commands about specs: init, validate, plan, schema, describe. Nothing here runs a job."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.base import AsJson, HomeOption, Overlays, Overrides, SpecFile, app, find_home, print_json, say, tell
from engine.errors import HomeError, SpecError
from engine.home.paths import Home


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]")] = Path(),
    template: Annotated[bool, typer.Option("--template", help="a page of your own, not specs")] = False,
) -> None:
    """Lay out specs to start from, and the schema your editor completes them with."""
    from engine.cli.starter_specs import lay_out, lay_out_template

    if template:
        for path in lay_out_template(folder):
            tell(str(path))
        say(f"next: xp report quickstart --template {shlex.quote(str(folder / 'template'))}")
        return
    for path in lay_out(folder):
        tell(str(path))
    say("next: xp submit specs/quickstart.yaml --wait && xp report quickstart")


@app.command()
def validate(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...")],
    overrides: Overrides = None,
    overlays: Overlays = None,
    home: HomeOption = None,
) -> None:
    """Check specs without running anything; ends with 0 or 2."""
    from engine.inputs.missing import absent_inputs
    from engine.load import load_spec
    from engine.plan.leaks import find_leaks

    failed = False
    for file in specs:
        try:
            spec = load_spec(file, overrides or (), overlays or ())
        except SpecError as error:
            say(str(error))
            failed = True
            continue
        refusal, warnings = find_leaks(spec, _home_if_any(home))
        lines = (*spec.doubts, *(f"{file}: {line}" for line in (*absent_inputs(spec), *warnings)))
        # A plan warns of some of what is absent, too.
        for line in dict.fromkeys(lines):
            say(f"warning: {line}")
        if refusal is not None:
            say(f"{file}: {refusal}")
            failed = True
            continue
        tell(f"{file}: valid, {len(spec.arm_names)} arms, {len(spec.seeds)} seeds")
    raise typer.Exit(2 if failed else 0)


def _home_if_any(home: Path | None) -> Home | None:
    """A spec is checked where nothing was ever submitted, too."""
    try:
        return find_home(home)
    except HomeError:
        return None


@app.command()
def plan(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    as_json: AsJson = False,
    power: Annotated[
        float | None,
        typer.Option(metavar="POINTS", min=0.01, help="how many seeds a difference of so many points needs"),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(help="try how fast this machine is where nobody has, for some seconds", envvar="XP_CALIBRATE"),
    ] = True,
    latency: Annotated[
        bool, typer.Option("--latency", help="time what the networks' operators take here, and foretell their latency")
    ] = False,
    on_cpu: Annotated[bool, typer.Option("--cpu", help="as for submit --cpu: all on the CPU")] = False,
    home: HomeOption = None,
) -> None:
    """Show runs and jobs, what is reused, the time and disk still to spend, and what the design can detect."""
    from engine.analysis.foresight import detect_lines, foresee, power_lines, seed_seconds
    from engine.cli.render import error_console, plan_table
    from engine.inputs.gpus import least_memory
    from engine.launch.memory import memory_limit
    from engine.load import load_spec
    from engine.plan import count_passes, make_plan
    from engine.plan.cost.room import Room
    from engine.plan.estimate import estimate_plan, tell_crowding, tell_tight_jobs
    from engine.plan.latency import foretell, latency_lines
    from store.queue import Queue

    place = find_home(home, create=True)
    made = make_plan(load_spec(spec, overrides or (), overlays or ()), place, on_cpu=on_cpu)
    with Queue.open_readonly(place.queue_db) as queue:
        estimate = estimate_plan(made, place, queue.job_states(), say if calibrate else None)
    foretold = foretell(made, place, say if latency else None)
    tight = tell_tight_jobs(estimate, Room(memory_limit(), least_memory()))
    for line in (*made.spec.doubts, *made.missing, *made.refused, *made.warnings, *tight):
        say(f"warning: {line}")
    if as_json:
        from engine.plan.plan_json import plan_json

        print_json(plan_json(made, estimate, foretold))
    else:
        passes, seen = count_passes(made), foresee(made, place)
        notes = [*made.notes, *latency_lines(made, foretold), *tell_crowding()]
        notes += [*([str(passes)] if passes else []), *detect_lines(seen)]
        if power is not None:
            cost = seed_seconds(made, {item.job.key: item.seconds for item in estimate.jobs})
            notes += power_lines(seen, power, cost)
        error_console().print(plan_table(made, estimate, notes))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a spec, for editors that complete and check YAML."""
    from engine.spec import Spec

    print_json(Spec.model_json_schema())


@app.command()
def describe(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Show each arm's layers: resolution, window, attention as it really is, parameters, MACs, saved bytes."""
    from engine.cli.render import error_console, layer_table
    from engine.inspect.layers import describe_arms
    from engine.load import load_spec

    tables = describe_arms(load_spec(spec, overrides or (), overlays or ()), find_home(home, create=True))
    if as_json:
        print_json([table.as_json() for table in tables])
        return
    for table in tables:
        error_console().print(layer_table(f"{table.arm} ({table.num_classes} classes)", table.rows))
