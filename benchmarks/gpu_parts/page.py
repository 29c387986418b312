"""Findings for people: takes them and a file, writes the section `gpu` of it and leaves all others as they are."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.gpu_parts.findings import Finding

TITLE = "gpu"
SECTION = re.compile(rf"\n## {TITLE}\n.*?(?=\n## |\Z)", re.DOTALL)
HEAD = "| case | figure | value | unit | peer | goal | verdict | note |\n|---|---|---|---|---|---|---|---|"
GOALS = (
    "Goals, on an H100: TinyViT-5M trained from JPEG files at 4,000 images/s or more, the 21M at 2,500, twice as fast "
    "as timm's loader and step, end to end; the GPU busy 90 % of the time; block with windows {7,28,14,7} 1.3 times as "
    "fast as dense with less memory, slide with {14,14,14,7} no slower. A goal that is missed is told as missed."
)


def write_page(path: Path, found: Sequence[Finding], command: str) -> None:
    """Put the section into a page that is there, in the place of an older one, else begin a page."""
    section = make_section(found, command)
    before = path.read_text() if path.exists() else "# What was measured\n"
    after = SECTION.sub(lambda _: section.rstrip("\n") + "\n", before)
    path.write_text(after if SECTION.search(before) else before.rstrip("\n") + "\n" + section)


def make_section(found: Sequence[Finding], command: str) -> str:
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = next((one for one in found if one.case == "machine"), None)
    where = f", {machine.figure}, {machine.note}" if machine else ""
    parts = "\n".join(make_part(name, list(ones)) for name, ones in groupby(found, key=lambda one: one.part))
    return f"\n## {TITLE}\n\n`{command}`, {day}{where}\n\n{GOALS}\n{parts}"


def make_part(name: str, found: Sequence[Finding]) -> str:
    lines = "\n".join(make_line(one) for one in found)
    return f"\n### {name}\n\n{HEAD}\n{lines}\n"


def make_line(one: Finding) -> str:
    numbers = (one.value, one.peer, one.goal)
    value, peer, goal = ("" if number is None else f"{number:.4g}" for number in numbers)
    cells = (one.case, one.figure, value, one.unit, peer, goal, one.verdict, one.note)
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"
