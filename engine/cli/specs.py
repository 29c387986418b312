"""Commands about specs: init, validate, plan, schema, describe. Nothing here runs a job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.base import AsJson, HomeOption, Overlays, Overrides, SpecFile, app, find_home, print_json, say
from engine.errors import SpecError


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="[DIR]")] = Path()) -> None:
    """Lay out specs to start from, and the schema your editor completes them with."""
    from engine.cli.starter_specs import lay_out

    for path in lay_out(folder):
        typer.echo(str(path))
    say("next: xp submit specs/quickstart.yaml --wait && xp report quickstart")


@app.command()
def validate(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...")],
    overrides: Overrides = None,
    overlays: Overlays = None,
) -> None:
    """Check specs without running anything; ends with 0 or 2."""
    from engine.inputs.missing import absent_inputs
    from engine.load import load_spec

    failed = False
    for file in specs:
        try:
            spec = load_spec(file, overrides or (), overlays or ())
        except SpecError as error:
            say(str(error))
            failed = True
            continue
        for line in absent_inputs(spec):
            say(f"warning: {file}: {line}")
        typer.echo(f"{file}: valid, {len(spec.arm_names)} arms, {len(spec.seeds)} seeds")
    raise typer.Exit(2 if failed else 0)


@app.command()
def plan(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Show runs and jobs, what is reused, and the time and disk still to spend."""
    from engine.cli.render import error_console, plan_table
    from engine.load import load_spec
    from engine.plan import count_passes, make_plan
    from engine.plan.estimate import estimate_plan
    from store.queue import Queue

    place = find_home(home, create=True)
    made = make_plan(load_spec(spec, overrides or (), overlays or ()), place)
    with Queue.open_readonly(place.queue_db) as queue:
        estimate = estimate_plan(made, place, queue.job_states())
    for line in (*made.missing, *made.warnings):
        say(f"warning: {line}")
    if as_json:
        from engine.plan.plan_json import plan_json

        print_json(plan_json(made, estimate))
    else:
        passes = count_passes(made)
        error_console().print(plan_table(made, estimate, [*made.notes, *([str(passes)] if passes else [])]))


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
