"""`xp verify-resume`: do this machine's trainings come out of kills with the same bits?"""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.base import AsJson, HomeOption, Overlays, Overrides, SpecFile, app, find_home, print_json, say, tell


@app.command("verify-resume")
def verify_resume(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    kills: Annotated[int, typer.Option(min=1, help="how often each training is killed")] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="how long each training is at most")] = 2,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Run a short form of SPEC straight and killed; ends with 0 when the weights are the same to the bit, else 1."""
    from engine.load import load_spec
    from engine.verify.certificate import describe
    from engine.verify.resume import verify_resume as try_resume

    loaded = load_spec(spec, overrides or (), overlays or ())
    found = try_resume(loaded, find_home(home, create=True), say, kills=kills, epochs=epochs)
    if as_json:
        print_json(found.as_json())
    for line in [] if as_json else describe(found):
        tell(line)
    raise typer.Exit(0 if found.is_identical else 1)
