"""What every command shares: the app, the options that mean the same everywhere, the two streams.

Asked-for output goes to stdout, everything else to stderr; both as text that steers no terminal (cli/terminal.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import completion
from engine.cli.group import FlowGroup
from store.escape import show_json, show_text

if TYPE_CHECKING:
    from engine.home.paths import Home
    from engine.spec import Spec

app = typer.Typer(
    cls=FlowGroup,
    help="Run the experiments behind a model-compression paper: spec -> plan -> run -> SQL -> report.",
    epilog="xp COMMAND -h tells more of a command, with examples; xp explain WORD tells what a word means.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # What we do not expect keeps Python's own traceback.
    pretty_exceptions_enable=False,
)
FlowGroup.app = app
SpecFile = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC", help="a spec file, such as specs/quickstart.yaml", autocompletion=completion.spec_files
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="change a setting, arms too; repeatable", autocompletion=completion.settings
    ),
]
Overlays = Annotated[
    list[Path] | None,
    typer.Option(
        "--overlay", metavar="FILE", help="a file merged over all; repeatable", autocompletion=completion.spec_files
    ),
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="home folder (else XP_HOME, else .xp here or in a folder above)"),
]
Executor = Annotated[
    str | None,
    # Of LAUNCHERS, engine/launch/places.py, which takes time to import; a test holds them together.
    typer.Option(
        metavar="NAME",
        help="where jobs run: local, slurm, slurm-jobs, ray, ray-jobs; kept by the home until it is changed",
    ),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="let your own code that the spec names run in this home, until it is changed")
]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable, on stdout")]
AnyId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="EXPERIMENT, EXPERIMENT/ARM, EXPERIMENT/ARM@SEED, a run, a job, or the beginning of one",
        autocompletion=completion.addresses,
    ),
]
ArmName = Annotated[
    str, typer.Argument(metavar="EXPERIMENT/ARM", help="an arm of an experiment", autocompletion=completion.addresses)
]
ExperimentName = Annotated[
    str,
    typer.Argument(metavar="EXPERIMENT", help="its name, as `xp ls` shows it", autocompletion=completion.experiments),
]
_chosen: dict[str, Path | None] = {"home": None}
_told: set[Path] = set()


def _show_version(wanted: bool) -> None:
    """Print the versions that results depend on, torch's without importing it."""
    if wanted:
        from importlib.metadata import PackageNotFoundError, version
        from platform import python_version

        for name, package in (("xp", "xp-engine"), ("torch", "torch"), ("timm", "timm")):
            try:
                tell(f"{name} {version(package)}")
            except PackageNotFoundError:
                tell(f"{name} is not installed")
        tell(f"Python {python_version()}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", help="show versions and exit", callback=_show_version, is_eager=True),
]


@app.callback()
def choose_home(home: HomeOption = None, version: Version = False) -> None:
    """Remember a --home that stands before the command."""
    _chosen["home"] = home


def find_home(home: Path | None, *, create: bool = False, required: bool = True) -> Home:
    """Open the home that is meant; one of a folder above is named on stderr, once."""
    from engine.home.access import write_as_home
    from engine.home.finding import home_above, slipped_variables
    from engine.home.paths import open_home

    for line in slipped_variables():
        say(f"warning: {line}")
    found = open_home(home or _chosen["home"], create=create, required=required)
    if home is None and _chosen["home"] is None and (above := home_above()) is not None and above not in _told:
        _told.add(above)
        say(f"home: {above}, of a folder above (--home .xp for one of this folder)")
    write_as_home(found.root)
    return found


def allow_code(specs: Sequence[Spec], home: Home, *, trust: bool) -> None:
    """Keep that the code which these specs name may run in the home, where --trust says so; say which."""
    from engine.spec.drawn_code import uses_code

    if not trust:
        return
    if not any(map(uses_code, specs)):
        say("--trust does nothing here: no code is named")
        return
    from engine.plan.own_code import trust_spec

    for path in dict.fromkeys(code.file for spec in specs for code in trust_spec(spec, home)):
        say(f"may run in {home.root} until it is changed: {path}")


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


def tell_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns that a person reads and grep finds: asked for, so on stdout; the last one as long as it is."""
    lines = [tuple(heads), *map(tuple, rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads) - 1)] + [0]
    for line in lines:
        tell("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    typer.echo(show_json(json.dumps(value, indent=1, allow_nan=False)))
