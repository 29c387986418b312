"""`xp archive`: an experiment in one file, and whether such a file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import completion
from engine.cli.base import HomeOption, Overrides, app, find_home, say, tell
from engine.errors import XpError
from engine.home.access import write_as_person

VERIFY = "verify"
USAGE = "xp archive NAME... -o FILE makes one; xp archive verify FILE checks it"


@app.command()
def archive(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME... | verify FILE",
            help="experiments; or a file to check",
            autocompletion=completion.experiments,
        ),
    ],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="the .zip to write")] = None,
    weights: Annotated[bool, typer.Option("--weights", help="with the trained networks")] = False,
    licence: Annotated[
        str | None, typer.Option("--licence", metavar="SPDX", help="of the results: an SPDX id or an address")
    ] = None,
    rerun: Annotated[
        list[str] | None,
        typer.Option(metavar="N|RUN", help="verify: do the N quickest runs again, or ARM, ARM/SEED, a run's id"),
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="verify --rerun: let code run that came with it")] = False,
    overrides: Overrides = None,
    home: HomeOption = None,
) -> None:
    """Put experiments into one file that others can check: results, report, provenance, checksums.

    `xp archive verify FILE` checks every sum, makes results and report anew and compares them byte for byte; it ends
    with 0, with 1 where anything differs, with 3 where runs to do again could not be done here. It needs no home.
    """
    # A file to write is only named by who makes one, also of an experiment that is called so.
    if words[0] == VERIFY and out is None:
        if len(words) != 2 or weights or licence:
            raise XpError(f"{VERIFY} takes one file", fix=USAGE)
        raise typer.Exit(_verify(Path(words[1]), rerun or [], overrides or [], trust=trust))
    if out is None or rerun or overrides or trust:
        what = "--rerun, --trust and --set are for verify" if out is not None else "it is not said which file to write"
        raise XpError(what, fix=USAGE)
    _make(words, out, licence, home, with_weights=weights)


def _make(names: list[str], out: Path, licence: str | None, home: Path | None, *, with_weights: bool) -> None:
    from engine.archive import make_archive

    place = find_home(home)
    with write_as_person():
        made = make_archive(place, names, out, with_weights=with_weights, licence=licence, tell=say)
    for line in made.damaged:
        say(f"damaged in this home, and told so in the report: {line}")
    tell(f"{made.path}: {made.members:,} members, {made.bytes:,} bytes")
    if made.left_out:
        say(f"without {made.left_out} files of trained networks (--weights takes them in)")
    say("it names hosts and paths of the machines that jobs ran on; logs are not inside")
    say(f"sha256 of its archive.json, which vouches for all else: {made.about_sha256}")


def _verify(path: Path, words: list[str], overrides: list[str], *, trust: bool) -> int:
    from engine.archive import verify_archive
    from engine.archive.rerun import Asked

    found = verify_archive(path, tell, Asked(words, overrides, trust))
    for line in found.problems:
        tell(line)
    if not found.holds:
        say(f"{path} does not hold; lines: {len(found.problems)}")
        return 1
    tell(f"{path} holds; sha256 of its archive.json: {found.about_sha256}")
    return 3 if found.is_short else 0
