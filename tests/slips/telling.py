"""What `xp validate` prints: takes a text, gives its exit code and its problems, as a person reads them."""

from __future__ import annotations

import io
import re
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from typer.main import get_command

from engine.cli import app, main

PLACE = re.compile(r"^spec\.yaml:(\d+):(\d+): (.*)$")


@dataclass(frozen=True)
class Problem:
    line: int
    column: int
    what: str
    fix: str
    excerpt: str = ""


@dataclass(frozen=True)
class Told:
    """`code` is None for a traceback."""

    code: int | None
    text: str
    problems: tuple[Problem, ...]


def validate(folder: Path, raw: bytes, *words: str) -> Told:
    """Ask `xp validate` about spec.yaml of a folder, in this process."""
    (folder / "spec.yaml").write_bytes(raw)
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
    code: int | None = 0
    argv = ["xp", "validate", "spec.yaml", "--home", str(folder / "home"), *words]
    asked = (mock.patch.object(sys, "argv", argv), mock.patch("engine.cli.app", _command()))
    with chdir(folder), asked[0], asked[1], redirect_stdout(out), redirect_stderr(out):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException as error:
            code = None
            out.write(f"Traceback: {error!r}")
    text = out.buffer.getvalue().decode()
    return Told(code, text, tuple(read_problems(text)))


@cache
def _command() -> Any:
    """The command line, put together once: typer would do it for each of a thousand slips."""
    return get_command(app)


def read_problems(text: str) -> list[Problem]:
    """Return the problems of a printed answer, warnings aside."""
    found, lines = [], text.splitlines()
    for at, line in enumerate(lines):
        place = PLACE.match(line)
        if place is None:
            continue
        rest = lines[at + 1 :]
        end = next((n for n, one in enumerate(rest) if one.startswith("fix: ")), None)
        if end is None:
            continue
        fix = rest[end].removeprefix("fix: ")
        found.append(Problem(int(place[1]), int(place[2]), place[3], fix, "\n".join(rest[:end])))
    return found
