"""`xp bench`: trained networks, or exported files, timed against each other on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli import completion
from engine.cli.base import AsJson, HomeOption, app, find_home, print_json, say, tell


@app.command()
def bench(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|FILE...",
            help="runs, EXPERIMENT/ARM@SEED, files of .onnx, .pt2",
            autocompletion=completion.runs_or_files,
        ),
    ],
    against: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|FILE",
            help="what the others are compared with; else the first",
            autocompletion=completion.runs_or_files,
        ),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(metavar="WORDS", help="eager, compiled, onnxruntime; several with commas")
    ] = None,
    batch_size: Annotated[str, typer.Option(metavar="IMAGES", help="of a call; several with commas")] = "1",
    threads: Annotated[str, typer.Option(metavar="NUMBER", help="of the processor; several with commas")] = "1",
    rounds: Annotated[int, typer.Option(min=3, max=1000, help="each in new processes")] = 12,
    seconds: Annotated[float, typer.Option(min=0.01, max=86_400.0, help="for each network, over all rounds")] = 3.0,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Time networks in turn on this machine's CPU, in fp32, and say how many times as fast as the first each is.

    In each round every network has a new process; the ratio has its 95 % interval over the rounds. Nothing is stored.
    """
    from engine.errors import XpError

    sizes, counts = _numbers(batch_size, "--batch-size", 65_536), _numbers(threads, "--threads", 4096)
    asked = [against, *names] if against is not None else names
    if len(asked) < 2:
        fix = "name another after it; the same twice tells what this machine can tell apart"
        raise XpError("one network is compared with nothing", where="xp bench", fix=fix)
    from engine.verify.bench.compare import Wanted, compare_networks
    from engine.verify.bench.subjects import find_subjects, settle_modes
    from engine.verify.bench.table import comparison_json, comparison_lines

    subjects = find_subjects(asked, lambda: find_home(home))
    modes = settle_modes(subjects, [word.strip() for word in (runtime or "").split(",") if word.strip()])
    found = compare_networks(subjects, Wanted(tuple(modes), sizes, counts, rounds, seconds), say)
    if as_json:
        print_json(comparison_json(found))
    for line in [] if as_json else comparison_lines(found):
        tell(line)


def _numbers(text: str, option: str, most: int) -> tuple[int, ...]:
    """Return the numbers of `1,8`, each once. Raises XpError for what is none, or too large."""
    from engine.errors import XpError

    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= most for word in words):
        raise XpError(f"{text!r} is no list of numbers from 1 to {most:,}", where=option, fix=f"write {option} 1,8")
    return tuple(dict.fromkeys(map(int, words)))
