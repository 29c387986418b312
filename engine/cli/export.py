"""`xp export`: a trained network as a file for other runtimes. `xp predict`: what a network says of photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import completion
from engine.cli.base import AsJson, HomeOption, app, find_home, print_json, say, tell
from engine.home.access import write_as_person

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="a run, or EXPERIMENT/ARM, EXPERIMENT/ARM@SEED", autocompletion=completion.addresses
    ),
]


@app.command()
def export(
    name: RunName,
    form: Annotated[
        str, typer.Option("--format", metavar="NAME", help="safetensors, onnx, pt2, executorch or litert")
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="a file, or a folder for one named by the run")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Write a run's network as a file that is enough by itself, checked against the network on test images.

    The batch is free; how an image is prepared, the classes and the lineage stand inside. A file that does not answer
    as the network does is an error that names the first layer that differs, and is not left behind.
    """
    from engine.schedule.lookup import find_network
    from engine.spec.forms import form_words

    suffix = form_words(form).suffix
    place = find_home(home)
    job, named = find_network(place, name)
    path = _target(out, f"{_file_name(named)}{suffix}")
    from engine.run.exporting import check_target, export_network

    with write_as_person():
        if path.parent.parent.is_dir() and not path.parent.exists():
            path.parent.mkdir()
        check_target(path, force=force)
        found = export_network(place, job, form, path, force=force)
    if as_json:
        print_json(found.as_json())
        return
    for line in found.lines()[:1]:
        tell(line)
    for line in found.lines()[1:]:
        say(line)


def _target(out: Path | None, name: str) -> Path:
    """Return the file that -o means: itself, or one of that name in a folder; what ends in nothing is a folder."""
    if out is None:
        return Path(name)
    is_folder = out.is_dir() or not (out.suffix or out.is_file())
    return out / name if is_folder else out


def _file_name(run: str) -> str:
    return run.replace("/", "-").replace("@", "-seed")


@app.command()
def predict(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE", help="a run, or a file that xp export wrote", autocompletion=completion.runs_or_files
        ),
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="photographs")],
    top: Annotated[int, typer.Option(min=1, help="classes for each image")] = 5,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Say what is in photographs, as a trained network sees it; an exported file is enough, without a home.

    Images are prepared as in evaluation. Ends with 1 where some of them could not be read.
    """
    from engine.run.predicting import open_file, open_run, predict_images

    if _is_file(name):
        network = open_file(Path(name))
    else:
        from engine.schedule.lookup import find_network

        place = find_home(home)
        network = open_run(place, find_network(place, name)[0])
    found = predict_images(network, images, top)
    if as_json:
        print_json([one.as_json() for one in found])
    for one in [] if as_json else found:
        for line in one.lines():
            (say if one.problem else tell)(line)
    raise typer.Exit(1 if any(one.problem for one in found) else 0)


def _is_file(name: str) -> bool:
    from engine.spec.forms import form_of_file

    return form_of_file(Path(name)) is not None
