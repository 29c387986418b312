"""What every command shares: the app, the options that mean the same everywhere, the two streams.

Asked-for output goes to stdout, everything else to stderr; both as text that steers no terminal (cli/terminal.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.home.access import write_as_home
from engine.home.paths import Home, open_home
from engine.launch.places import LAUNCHERS
from store.escape import show_json, show_text

app = typer.Typer(
    help="Run the experiments behind a model-compression paper: spec -> plan -> run -> SQL -> report.",
    no_args_is_help=True,
    # What we do not expect keeps Python's own traceback.
    pretty_exceptions_enable=False,
    add_completion=False,
)
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="a spec file, such as specs/quickstart.yaml")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="change a setting, arms too")]
Overlays = Annotated[list[Path] | None, typer.Option("--overlay", metavar="FILE", help="a file merged over all")]
HomeOption = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="home folder (else XP_HOME, else ./.xp)")
]
Executor = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"where jobs run: {', '.join(LAUNCHERS)}; kept by the home until it is changed"),
]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable, on stdout")]
AnyId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="EXPERIMENT, EXPERIMENT/ARM, EXPERIMENT/ARM@SEED, a run, a job, or the beginning of one"
    ),
]
_chosen: dict[str, Path | None] = {"home": None}


@app.callback()
def choose_home(home: HomeOption = None) -> None:
    """Remember a --home that stands before the command."""
    _chosen["home"] = home


def help_text(about: str, examples: Sequence[str], ends: str) -> str:
    """Return the help of a command: what it does, an example on each line, its exit codes; wide as the terminal is."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in about.split("\n\n")]
    return "\n\n".join((*paragraphs, "\n".join(("Examples:", *examples)), f"Ends with {ends}."))


def find_home(home: Path | None, *, create: bool = False, required: bool = True) -> Home:
    found = open_home(home or _chosen["home"], create=create, required=required)
    write_as_home(found.root)
    return found


def find_fresh(home: Path | None) -> Home:
    """Return the home with all its results taken in, as far as it can be written; say what is left out."""
    from engine.collect import collect

    place = find_home(home)
    found = collect(place, wait=60.0)
    if found.is_readonly:
        say("the home cannot be written: these are the results as they were published last")
    for line in found.damaged:
        say(f"left out, because it is damaged: {line}")
    return place


def say(text: str) -> None:
    typer.echo(show_text(text), err=True)


def tell(text: str) -> None:
    """Print what was asked for, for a person to read."""
    typer.echo(show_text(text))


def print_json(value: Any) -> None:
    typer.echo(show_json(json.dumps(value, indent=1, allow_nan=False)))
