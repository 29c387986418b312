"""The command `xp notebook`: takes the name of an experiment, gives notebooks to go on by hand."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.base import ExperimentName, HomeOption, app, find_fresh, say, tell
from engine.home.access import write_as_person


@app.command()
def notebook(
    name: ExperimentName,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="default: notebook")] = None,
    force: Annotated[bool, typer.Option("--force", help="write anew what is there")] = False,
    home: HomeOption = None,
) -> None:
    """Write a marimo and a Jupyter notebook with an experiment's tables and figures, to go on by hand."""
    from engine.report.notebook import write_notebooks

    place = find_fresh(home)
    with write_as_person():
        paths = write_notebooks(place, name, out, replaces=force)
    for path in paths:
        tell(str(path))
    if find_spec("pandas") is None:
        say("they need pandas, which is not installed here\nfix: pip install 'xp-engine[notebook]'")
