"""The place of a mistake, shown: takes problems, gives each with its line of the file and a mark under the place.

Nothing is shown of what does not lie beside the file that was asked about, of pipes and devices, and of lines that no
person wrote.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.errors import Problem, SpecError
from engine.home.limits import limits

PLACE = re.compile(r"(.+):(\d+):(\d+)")
SET = "--set "
WORD = r"[^\s,{}\[\]#:]+(?::(?=\S)[^\s,{}\[\]#:]+)*"
# A plain text of several words is one; what stands behind a tag, an anchor or an alias is not of it.
TOKEN = re.compile(rf"'[^'\n]*'|\"[^\"\n]*\"|\[[^\]\n]*\]|[!&*]\S*|{WORD}(?: +{WORD}(?!:\s|:$))*")
MOST_LINE = 400


@contextmanager
def showing_places(near: Path) -> Iterator[None]:
    """Give every problem that is raised within its line, where the file lies in the folder of `near` or below."""
    try:
        yield
    except SpecError as error:
        folder = Path(os.path.realpath(near)).parent
        raise SpecError(list(map(partial(show_place, folder=folder), error.problems))) from error


def show_place(problem: Problem, folder: Path) -> Problem:
    """Return the problem with its excerpt; as it is where there is none."""
    if problem.excerpt:
        return problem
    if problem.where.startswith(SET):
        return replace(problem, excerpt=_set_excerpt(problem.where, problem.what))
    place = PLACE.fullmatch(problem.where)
    line = _read_line(Path(place[1]), int(place[2]), folder) if place else None
    if place is None or line is None:
        return problem
    return replace(problem, excerpt=mark_place(line, int(place[2]), int(place[3])))


def mark_place(line: str, number: int, column: int) -> str:
    """Return a line of a file under its number, and a mark below what begins at a column, from 1."""
    plain = re.sub(r"[^\S\n]|[^\x20-\U0010ffff]", " ", line.rstrip("\n")).rstrip()
    start = min(column - 1, len(plain))
    token = TOKEN.match(plain, start)
    marks = "^" * max(1, (token.end() if token else start) - start)
    side = f"{number:>4} | "
    return f"{side}{plain}\n{' ' * (len(side) - 2)}| {' ' * start}{marks}"


def _set_excerpt(where: str, what: str) -> str:
    """A --set has its value marked, or its path where that is unknown."""
    if not where.isprintable() or len(where) > MOST_LINE:
        return ""
    equals = where.find("=")
    is_path = equals < 0 or what.startswith(("unknown key", "there is no arm", "only a spec", "this sets a part"))
    start, end = (len(SET), equals if equals >= 0 else len(where)) if is_path else (equals + 1, len(where))
    return f"  {where}\n  {' ' * start}{'^' * max(1, end - start)}"


def _read_line(file: Path, number: int, folder: Path) -> str | None:
    if not Path(os.path.realpath(file)).is_relative_to(folder) or not os.path.isfile(file):
        return None
    try:
        with file.open("rb") as handle:
            raw = handle.read(limits().yaml_bytes + 1)
    except OSError:
        return None
    lines = re.split("\r\n?|\n", raw.decode("utf-8-sig", errors="replace"))
    line = lines[number - 1] if number <= len(lines) else ""
    is_shown = line.strip() and not line.lstrip().startswith("#") and len(line) <= MOST_LINE and "\0" not in line
    return line if is_shown else None
