"""Commands about specs: init, validate, schema, explain, describe. Nothing here runs a job."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import completion
from engine.cli.base import (
    AsJson,
    HomeOption,
    Overlays,
    Overrides,
    SpecFile,
    Trust,
    allow_code,
    app,
    find_home,
    print_json,
    say,
    tell,
)
from engine.errors import HomeError, SpecError, StrangeCode, XpError

if TYPE_CHECKING:
    from engine.core.describe import LayerRow
    from engine.home.paths import Home
    from engine.inspect.meaning import Meaning
    from engine.spec import Spec


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="where they go")] = Path(),
    template: Annotated[bool, typer.Option("--template", help="a page of your own, not specs")] = False,
    plugin: Annotated[
        bool, typer.Option("--plugin", help="a study with a network, a loss, an attention and images of your own")
    ] = False,
) -> None:
    """Lay out specs to start from, and the schema your editor completes them with."""
    from engine.cli.starter_specs import lay_out, lay_out_own_code, lay_out_template

    if template:
        for path in lay_out_template(folder):
            tell(str(path))
        say(f"next: xp report quickstart --template {shlex.quote(str(folder / 'template'))}")
        return
    if plugin:
        for path in lay_out_own_code(folder):
            tell(str(path))
        say(f"next: read them, then xp submit {shlex.quote(str(folder / 'own_code' / 'study.yaml'))} --trust --wait")
        return
    for path in lay_out(folder):
        tell(str(path))
    _say_home(folder)
    say("next: xp submit specs/quickstart.yaml --wait && xp report quickstart")


def _say_home(folder: Path) -> None:
    """A home of a folder above takes what is submitted from here, which nobody may expect."""
    from engine.home.finding import home_above

    above = home_above(folder)
    if above is not None:
        say(f"what is submitted from here goes to {above}, of a folder above (--home .xp for one of its own)")


@app.command()
def validate(
    specs: Annotated[
        list[Path], typer.Argument(metavar="SPEC...", help="spec files", autocompletion=completion.spec_files)
    ],
    overrides: Overrides = None,
    overlays: Overlays = None,
    trust: Trust = False,
    home: HomeOption = None,
) -> None:
    """Check specs, papers and overlays without running anything; ends with 0 or 2."""
    results = [_validate(file, overrides or (), overlays or (), home, trust=trust) for file in specs]
    raise typer.Exit(0 if all(results) else 2)


def _validate(
    file: Path, overrides: Sequence[str], overlays: Sequence[Path], home: Path | None, *, trust: bool
) -> bool:
    """Check one file and say what it is; return whether nothing is wrong with it."""
    from engine.load.paper_file import check_overlay, is_paper, load_paper, load_specs

    try:
        if file.name.startswith("_"):
            check_overlay(file)
            tell(f"{file}: an overlay, checked with the specs that use it")
            return True
        if is_paper(file):
            loaded = load_paper(file)
            specs = load_specs(loaded, overrides, overlays)
            count = len(specs)
            _check_code(specs, home, trust=trust)
            sayings = f"{len(loaded.claims)} claims, {len(loaded.inconsistencies)} inconsistencies"
            tell(f"{file}: valid, a paper of {count} experiments, {sayings}")
            return True
        return _validate_spec(file, overrides, overlays, home, trust=trust)
    except (SpecError, StrangeCode) as error:
        say(str(error))
        return False


def _check_code(specs: Sequence[Spec], home: Path | None, *, trust: bool) -> None:
    """Try the code that specs name, where it may run; a home is made where that is to be kept."""
    from engine.spec.drawn_code import uses_code

    named = [spec for spec in specs if uses_code(spec)]
    if not named and not trust:
        return
    from engine.plan.own_code import check_spec

    place = find_home(home, create=trust, required=False)
    allow_code(specs, place, trust=trust)
    for spec in named:
        check_spec(spec, place)


def _validate_spec(
    file: Path, overrides: Sequence[str], overlays: Sequence[Path], home: Path | None, *, trust: bool
) -> bool:
    from engine.inputs.missing import absent_inputs, names_weights
    from engine.load import load_spec

    spec = load_spec(file, overrides, overlays, tell=say)
    _check_code([spec], home, trust=trust)
    refusal: XpError | None = None
    warnings: Sequence[str] = ()
    if names_weights(spec):
        # Only now: it plans, and what plans takes time to import.
        from engine.plan.leaks import find_leaks

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
def schema() -> None:
    """Print the JSON Schema of a spec, for editors that complete and check YAML."""
    from engine.spec.editor import spec_schema

    print_json(spec_schema())


@app.command()
def explain(
    word: Annotated[
        str,
        typer.Argument(
            metavar="[WORD]",
            help="a field, a value of one, a metric, relation or column",
            autocompletion=completion.words,
        ),
    ] = "",
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
    from engine.load import load_spec

    loaded = load_spec(spec, overrides or (), overlays or ())
    # Only now: it loads torch, and a spec that is wrong is told at once.
    from engine.cli.render import layer_table, output_console
    from engine.inspect.layers import describe_arms

    tables = describe_arms(loaded, find_home(home, create=True))
    if as_json:
        print_json([table.as_json() for table in tables])
        return
    alike: dict[tuple[int, tuple[LayerRow, ...]], list[str]] = {}
    for table in tables:
        alike.setdefault((table.num_classes, table.rows), []).append(table.arm)
    for (classes, rows), arms in alike.items():
        output_console().print(layer_table(f"{', '.join(arms)} ({classes} classes)", rows))
