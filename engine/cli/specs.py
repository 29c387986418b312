"""Commands about specs: init, validate, plan, schema, explain, describe. Nothing here runs a job."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.base import AsJson, HomeOption, Overlays, Overrides, SpecFile, app, find_home, print_json, say, tell
from engine.errors import HomeError, SpecError
from engine.home.paths import Home

if TYPE_CHECKING:
    from engine.inspect.meaning import Meaning


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
    """Check specs, papers and overlays without running anything; ends with 0 or 2."""
    results = [_validate(file, overrides or (), overlays or (), home) for file in specs]
    raise typer.Exit(0 if all(results) else 2)


def _validate(file: Path, overrides: Sequence[str], overlays: Sequence[Path], home: Path | None) -> bool:
    """Check one file and say what it is; return whether nothing is wrong with it."""
    from engine.load.paper_file import check_overlay, is_paper, load_paper, load_specs

    try:
        if file.name.startswith("_"):
            check_overlay(file)
            tell(f"{file}: an overlay, checked with the specs that use it")
            return True
        if is_paper(file):
            loaded = load_paper(file)
            count = len(load_specs(loaded, overrides, overlays))
            sayings = f"{len(loaded.claims)} claims, {len(loaded.inconsistencies)} inconsistencies"
            tell(f"{file}: valid, a paper of {count} experiments, {sayings}")
            return True
        return _validate_spec(file, overrides, overlays, home)
    except SpecError as error:
        say(str(error))
        return False


def _validate_spec(file: Path, overrides: Sequence[str], overlays: Sequence[Path], home: Path | None) -> bool:
    from engine.inputs.missing import absent_inputs
    from engine.load import load_spec
    from engine.plan.leaks import find_leaks

    spec = load_spec(file, overrides, overlays, tell=say)
    refusal, warnings = find_leaks(spec, _home_if_any(home))
    lines = (*spec.doubts, *(f"{file}: {line}" for line in (*absent_inputs(spec), *warnings)))
    # A plan warns of some of what is absent, too.
    for line in dict.fromkeys(lines):
        say(f"warning: {line}")
    if refusal is not None:
        say(f"{file}: {refusal}")
        return False
    arms, seeds = len(spec.arm_names), len(spec.seeds)
    tell(f"{file}: valid, {arms} arm{'s' * (arms != 1)}, {seeds} seed{'s' * (seeds != 1)}")
    return True


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
    """Show runs and jobs, what is reused, the time and disk still to spend, and what the design can detect.

    Of a paper's file: what each of its experiments costs, and all together.
    """
    from engine.load.paper_file import is_paper

    if is_paper(spec):
        _plan_paper(spec, overrides or (), overlays or (), as_json, calibrate, on_cpu, home)
        return
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

    loaded = load_spec(spec, overrides or (), overlays or (), tell=say)
    place = find_home(home, create=True)
    made = make_plan(loaded, place, on_cpu=on_cpu)
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


def _plan_paper(
    file: Path, overrides: Sequence[str], overlays: Sequence[Path], as_json: bool, calibrate: bool, on_cpu: bool,
    home: Path | None,
) -> None:  # fmt: skip
    """Show what each experiment of a paper costs, and all together: a job that several share counts once."""
    from engine.cli.render import error_console, paper_table
    from engine.load.paper_file import load_paper, load_specs
    from engine.plan import make_plan
    from engine.plan.estimate import estimate_plan, tell_crowding
    from engine.plan.paper import sum_paper
    from store.queue import Queue

    place = find_home(home, create=True)
    plans = [make_plan(spec, place, on_cpu=on_cpu) for spec in load_specs(load_paper(file), overrides, overlays)]
    for line in dict.fromkeys(line for made in plans for line in (*made.spec.doubts, *made.missing, *made.refused)):
        say(f"warning: {line}")
    with Queue.open_readonly(place.queue_db) as queue:
        states = queue.job_states()
    summed = sum_paper([(made, estimate_plan(made, place, states, say if calibrate else None)) for made in plans])
    if as_json:
        print_json(summed.as_json())
    else:
        error_console().print(paper_table(summed, tell_crowding()))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a spec, for editors that complete and check YAML."""
    from engine.spec.editor import spec_schema

    print_json(spec_schema())


@app.command()
def explain(
    word: Annotated[str, typer.Argument(metavar="[WORD]", help="a field, metric, relation or column")] = "",
    as_json: AsJson = False,
    everything: Annotated[bool, typer.Option("--all", help="every word, as a page of Markdown")] = False,
) -> None:
    """Say what a word means: its unit, default, range and an example."""
    from engine.inspect.meaning import explain_word, reference_page

    if everything:
        tell(reference_page().rstrip("\n"))
        return
    found = explain_word(word)
    if as_json:
        print_json([meaning.as_json() for meaning in found])
        return
    tell("\n\n".join(map(_meaning_text, found)))


def _meaning_text(meaning: Meaning) -> str:
    lines = [f"{meaning.word} ({meaning.kind})", f"  {meaning.about}"]
    lines += [f"  {name + ':':9} {text}" for name, text in meaning.facts]
    if meaning.inside:
        lines.append(f"  inside:   {', '.join(word.rpartition('.')[2] for word in meaning.inside)}")
    return "\n".join(lines)


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
