"""A page of Markdown -> its fenced blocks, each with the remark that stands above it.

A remark is an HTML comment, which no reader sees, on the line before a block:

    <!-- file: NAME -->         the block is written under this name, and validated as a spec if it is YAML
    <!-- part of: NAME -->      words of a spec: validated merged over that file, in place of what it has
    <!-- queued only: REASON -->  commands on photographs are planned and queued, and nothing is started
    <!-- stopped: REASON -->   what serves is stopped once it had time to tell its address
    <!-- not run: REASON -->    only its words are checked, because of the reason
    <!-- output -->             what the block before it prints
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?:<!-- (?P<remark>[^\n]*?) -->\n)?^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
MADE = ("reference.md", "commands.md", "results.md")  # by programs, which have tests of their own
# Pages in the order of the walk: what others go on from comes first
FIRST = ("index.md", "tutorial.md", "howto/images.md")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, in which language, what it says, and the remark above it."""

    page: Path
    line: int
    language: str
    text: str
    remark: str
    span: tuple[int, int]

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def told(self, word: str) -> str | None:
        """Return what the remark says after `word:`, None where it says nothing of it."""
        head, colon, rest = self.remark.partition(":")
        return rest.strip() if head == word and colon else None

    @property
    def excuse(self) -> str | None:
        return self.told("not run")


@dataclass(frozen=True)
class Exchange:
    """A command of a console, and the lines that are shown as its answer."""

    command: str
    shown: str


def pages() -> list[Path]:
    """Return README and the written pages of the manual, those that others go on from first."""
    written = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name not in MADE]
    first = [ROOT / "docs" / name for name in FIRST]
    return [*first, ROOT / "README.md", *(page for page in written if page not in first)]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        span = found.span("text")
        yield Block(page, line, found["language"], found["text"], found["remark"] or "", span)


def all_blocks(language: str) -> list[Block]:
    return [block for page in pages() for block in blocks(page) if block.language == language]


def exchanges(text: str) -> list[Exchange]:
    r"""Split a console: a line that begins with `$ ` is a command, with those after a `\`; the rest is its answer."""
    made: list[Exchange] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        end = next(number for number, line in enumerate(lines) if not line.endswith("\\\n")) + 1
        made.append(Exchange("".join(lines[:end]).strip(), "".join(lines[end:])))
    return made
