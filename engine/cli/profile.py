"""`xp profile`: where a training step's time goes, and what bounds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import completion
from engine.cli.base import AsJson, HomeOption, Overlays, Overrides, app, find_home, print_json, say, tell
from engine.home.access import write_as_person

if TYPE_CHECKING:
    from engine.home.paths import Home
    from engine.verify.profile.subject import Subject

ENDINGS = (".yaml", ".yml", ".json")


@app.command()
def profile(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SPEC",
            help="a run, EXPERIMENT/ARM@SEED, a job, or a spec file",
            autocompletion=completion.runs_or_files,
        ),
    ],
    arm: Annotated[
        str | None, typer.Option(metavar="NAME", help="which arm, of a spec or an experiment; else the first")
    ] = None,
    overrides: Overrides = None,
    overlays: Overlays = None,
    steps: Annotated[
        int | None, typer.Option(min=3, max=10_000, help="how many steps are timed, and as many not; else 20 s of them")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="PICTURE", help="draw it, as .svg, .png or .pdf")
    ] = None,
    on_cpu: Annotated[bool, typer.Option("--cpu", help="on the CPU, though a GPU is asked for")] = False,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Train a little, in a scratch home, and say where a step's time goes and what bounds it; submits nothing."""
    from engine.report.step_chart import check_picture, write_chart
    from engine.verify.profile.profile import Wanted, profile_training
    from engine.verify.profile.summary import Summary
    from engine.verify.profile.table import profile_json, profile_lines

    if out is not None:
        check_picture(out)
    place, subject = _find_subject(name, arm, overrides, overlays, home, on_cpu=on_cpu)
    found = Summary(profile_training(subject, place, Wanted(steps), say))
    if as_json:
        print_json(profile_json(subject, found))
    for line in [] if as_json else profile_lines(subject, found):
        tell(line)
    if out is not None:
        with write_as_person():
            say(str(write_chart(found, subject.title, out)))


def _find_subject(
    name: str,
    arm: str | None,
    overrides: list[str] | None,
    overlays: list[Path] | None,
    home: Path | None,
    *,
    on_cpu: bool,
) -> tuple[Home, Subject]:
    """Return the home and the training that is meant; what looks like a file is a spec."""
    from engine.errors import XpError
    from engine.verify.profile.subject import subject_of_home, subject_of_spec

    if name.endswith(ENDINGS) or os.path.isfile(name):
        from engine.load import load_spec

        loaded = load_spec(Path(name), overrides or (), overlays or ())
        place = find_home(home, create=True)
        return place, subject_of_spec(loaded, arm, place, on_cpu=on_cpu)
    if overrides or overlays:
        what = "--set and --overlay change a spec, and a run is as it was submitted"
        raise XpError(what, where=name, fix="name the spec's file in the place of the run")
    place = find_home(home)
    subject = subject_of_home(place, name, arm)
    return place, subject.on_cpu() if on_cpu else subject
