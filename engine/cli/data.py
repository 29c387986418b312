"""`xp data`: what a set of images is like, and what a student will see of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.base import HomeOption, Overlays, Overrides, SpecFile, app, find_home, tell
from engine.cli.group import PlainGroup
from engine.cli.terminal import draw_line

data = typer.Typer(
    cls=PlainGroup, help="Look at images before training on them.", no_args_is_help=True, add_completion=False
)
app.add_typer(data, name="data")


@data.command()
def report(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="a folder, a .zip or .tar of one, or any set that data.root may name")
    ],
) -> None:
    """Count classes, sizes and modes; name broken files and images that are there twice."""
    from engine.inspect.surveys import survey_lines, survey_path

    for line in survey_lines(survey_path(path, _show_progress)):
        tell(line)


@data.command()
def preview(
    spec: SpecFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="PNG", help="the picture to write")] = Path("preview.png"),
    overrides: Overrides = None,
    overlays: Overlays = None,
    home: HomeOption = None,
) -> None:
    """Draw a contact sheet of the augmented views, with their labels."""
    from engine.load import load_spec

    loaded = load_spec(spec, overrides or (), overlays or ())
    # Only now: it loads torch, and a spec that is wrong is told at once.
    from engine.inspect.images import write_preview

    tell(str(write_preview(find_home(home, create=True), loaded, out, _show_progress)))


@data.command()
def fetch(spec: SpecFile, overrides: Overrides = None, overlays: Overlays = None) -> None:
    """Copy images that data.root names on another machine, once; all arms and cells are looked at."""
    from engine.inputs.remote import fetch_copy, is_remote
    from engine.load import load_spec
    from engine.spec.cells import expand_cells

    loaded = load_spec(spec, overrides or (), overlays or ())
    named = (os.path.expandvars(cell.settings.data.root or "") for cell in expand_cells(loaded))
    for address in dict.fromkeys(filter(is_remote, named)):
        tell(str(fetch_copy(address, _show_bytes)))


def _show_bytes(done: int, count: int) -> None:
    if sys.stderr.isatty():
        draw_line(f"{done / 1e6:.0f} of {count / 1e6:.0f} MB" + "\n" * (done == count))


def _show_progress(done: int, count: int) -> None:
    """One line that counts up, where a person looks on."""
    if sys.stderr.isatty() and (done % 50 == 0 or done == count):
        draw_line(f"{done}/{count} images" + "\n" * (done == count))
