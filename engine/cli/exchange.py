"""Commands to and from other tools: import, export-to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.base import ExperimentName, HomeOption, app, find_home, say, tell

if TYPE_CHECKING:
    from engine.exchange.importing import Imported

Out = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="the folder to write")]


@app.command("import")
def import_from(
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="mlflow, wandb, tensorboard or neptune")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="what the tool wrote")],
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="the experiment's name here")] = None,
    only: Annotated[
        str | None, typer.Option("--experiment", metavar="NAME", help="one of the tool's experiments or projects")
    ] = None,
    arm: Annotated[
        str | None, typer.Option("--arm", metavar="KEY", help="the param or tag that names arms; default: a run's name")
    ] = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="THEIRS=OURS", help="a metric of `results`; THEIRS%=OURS where it is in per cent"
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Bring in runs of MLflow, W&B, TensorBoard or Neptune, every value with step and time; again does nothing twice.

    PATH is an mlruns folder or mlflow.db; a wandb folder with offline runs; a folder of event files; the --data-path of
    neptune-exporter. None of these tools has to be installed. Each of the tool's experiments becomes one here, marked
    as imported: beside ours in xp sql, ls, report and serve, and compared with nothing, as what was held equal is
    unknown. Files of a run stay where they are, and their place is kept.
    """
    from engine.collect import collect
    from engine.exchange.folders import read_renaming
    from engine.exchange.importing import Wish, import_runs

    wish = Wish(name, only, arm, tuple(map(read_renaming, renamed or ())))
    place = find_home(home, create=True)
    done = import_runs(place, tool, path, wish, say)
    collect(place, wait=60.0)
    for one in done:
        _tell_imported(one)


def _tell_imported(one: Imported) -> None:
    if not one.is_changed:
        tell(f"{one.name}: nothing new; {one.same + one.kept} runs are here already")
    else:
        grown = f", {one.grown} of them newer than what was here" if one.grown else ""
        more = f", {one.same + one.kept} were here already" if one.same + one.kept else ""
        tell(f"{one.name}: {one.new + one.grown} runs came in{grown}{more}")
    tell(f"  {one.values:,} values read")
    for note in one.notes:
        say(f"  {note}")


@app.command("export-to")
def export_to(
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="mlflow, tensorboard or wandb")],
    name: ExperimentName,
    out: Out,
    home: HomeOption = None,
) -> None:
    """Write an experiment's runs as MLflow, TensorBoard or W&B read them: settings, metrics by step and time, and tags.

    Tags tell arm, cell, seed, run, experiment and commit. Again into the same folder replaces what was written.
    """
    from engine.cli.base import find_fresh
    from engine.exchange.exporting import export_runs
    from engine.home.access import write_as_person

    place = find_fresh(home)
    with write_as_person():
        done = export_runs(place, tool, name, out)
    again = ", in the place of what was there" if done.is_again else ""
    tell(f"{done.out}: {done.runs} runs, {done.values:,} values{again}")
    say(f"to see it: {done.then}")
