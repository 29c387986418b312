"""Every block of README and manual, run in one folder with one home; what comes beside what is shown.

What would train photographs for hours is planned and queued, and nothing of it is started: `DIR` is a folder that holds
them, where there are any beside the project.

A console shows what its command prints on both streams. A line `...` in it stands for any lines; a command that shows
nothing only has to end with 0. Figures, ids and times are masked where they are compared: they are the machine's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.blocks import ROOT, Block, Exchange, blocks, exchanges, pages

PHOTOGRAPHS = ROOT.parent / "shared" / "data" / "imagenette224" / "train.zip"
SERVED = 20  # seconds that a server is given to tell its address
MASKS = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b[0-9a-f]{8,}\b"), "#"),
    (re.compile(r"<?[-+]?\d[\d.,:]*(?:e[-+]?\d+)?"), "#"),
    (re.compile(r"#(?:ms|min|KB|MB|GB|[smhkMGK])?(?:\s*#(?:ms|s|m|h)\b)*"), "#"),
    (re.compile(r"[─━|+-]{2,}"), "--"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Answer:
    """What a block printed: its place in the page, what stands there, what came, and the exit code."""

    block: Block
    command: str
    shown: str
    came: str
    code: int

    @property
    def fault(self) -> str | None:
        """Say what does not fit, None where all does."""
        head = f"{self.block.place}: {self.command}"
        if self.code:
            return f"{head}\nended with {self.code}:\n{self.came}"
        if self.shown and not fits(self.shown, self.came):
            return f"{head}\nshows\n{self.shown}\nand there came\n{self.came}"
        return None


@dataclass
class Walk:
    """A folder in which the pages are gone through, with its own home and cache."""

    folder: Path
    only: tuple[Path, ...] = ()
    last: tuple[Block, str, int] | None = field(default=None, init=False)

    def answers(self) -> Iterator[Answer]:
        """Yield the answer of each block, in the order of the pages."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for page in self.only or pages():
            for block in blocks(page):
                yield from self._block(block)

    def _block(self, block: Block) -> Iterator[Answer]:
        if block.excuse is not None:
            return
        if block.told("queued only") is not None:
            yield from self._queued(block)
            return
        if block.told("stopped") is not None:
            yield from (self._serve(block, one) for one in exchanges(block.text))
            return
        if name := block.told("file"):
            (self.folder / name).write_text(block.text)
        elif block.language == "console":
            yield from (self._exchange(block, one) for one in exchanges(block.text))
        elif block.language == "sql":
            self.last = (block, *self.run(["xp", "sql", block.text.strip()]))
            yield Answer(block, block.text, "", self.last[1], self.last[2])
        elif block.language == "python":
            self.last = (block, *self.run([sys.executable, "-c", block.text]))
            yield Answer(block, block.text, "", self.last[1], self.last[2])
        elif block.remark == "output" and self.last is not None:
            yield Answer(block, self.last[0].text, block.text, self.last[1], 0)

    def _queued(self, block: Block) -> Iterator[Answer]:
        if not PHOTOGRAPHS.exists():
            return
        lay_photographs(self.folder / "data")
        for one in exchanges(block.text):
            if (command := queued_form(one.command)) is not None:
                yield Answer(block, one.command, "", *self.run(["bash", "-c", command]))

    def _serve(self, block: Block, one: Exchange) -> Answer:
        """Stop what serves as a person does: right where it has told its address."""
        came, _ = self.run(["timeout", "--signal=INT", str(SERVED), "bash", "-c", f"exec {one.command}"])
        return Answer(block, one.command, one.shown, came, 0 if "http://127.0.0.1:" in came else 1)

    def _exchange(self, block: Block, one: Exchange) -> Answer:
        return Answer(block, one.command, one.shown, *self.run(["bash", "-c", one.command]))

    def run(self, words: list[str]) -> tuple[str, int]:
        """Run a program in the folder; return both its streams as one text, and its exit code."""
        known = {name: value for name, value in os.environ.items() if not name.startswith("XP_")}
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        more = {"PATH": path, "COLUMNS": "110", "NO_COLOR": "1"}
        place = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "engine" / "api")))}
        done = subprocess.run(
            words, cwd=self.folder, env=known | more | place, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout, done.returncode


def lay_photographs(folder: Path) -> None:
    """Lay class folders of photographs out, under the names that specs look for."""
    if not folder.exists():
        with zipfile.ZipFile(PHOTOGRAPHS) as packed:
            packed.extractall(folder / "photographs")
        (folder / "imagenet100").symlink_to("photographs")


def queued_form(command: str) -> str | None:
    """Return a command on photographs as one that starts nothing, None for one that only shows what others did.

    It has a home of its own, whose jobs nobody starts. What is planned is not calibrated for: that takes a minute for
    the largest teachers.
    """
    if not any(word in command for word in ("xp data", "xp validate", "xp plan", "xp submit")):
        return None
    here = command.replace("data.root=DIR", "data.root=data/photographs").replace("DIR", "data")
    head = here.partition("  #")[0]
    words = head.replace(" --wait", "") + (" --no-start" if "xp submit" in head else "")
    return f"export XP_HOME=queued XP_CALIBRATE=0 XP_DATA=data; {words}"


def fits(shown: str, came: str) -> bool:
    """Return whether what came is what is shown, but for figures; a line `...` stands for any lines."""
    here, there = ([masked(line) for line in text.splitlines() if line.strip()] for text in (shown, came))
    if "..." not in here:
        return here == there
    rest = iter(there)
    return all(line in rest for line in here if line != "...")


def masked(line: str) -> str:
    for pattern, instead in MASKS:
        line = pattern.sub(instead, line)
    return line.strip()


def anew(shown: str, came: str) -> str:
    """Return what a page shows in place of `shown`: `?8` is filled with eight lines and `...`, `?` with all.

    What is shown whole is written anew; what has a `...` was cut by a person and stays.
    """
    asked = re.fullmatch(r"\?(\d*)\n", shown)
    if not shown or (asked is None and "..." in shown.splitlines()):
        return shown
    most = int(asked[1]) if asked and asked[1] else None
    kept = _lines(came).splitlines(keepends=True)
    return "".join(kept if most is None or len(kept) <= most else [*kept[:most], "...\n"])


def written_anew(page: Path, answers: list[Answer]) -> str:
    """Return the page with what came in place of what it shows, where it shows an answer whole."""
    text = page.read_text()
    for block in reversed(list(blocks(page))):
        if block.told("queued only") is not None:  # what was run is not what stands there
            continue
        mine = [answer for answer in answers if answer.block == block]
        if block.language == "console" and mine:
            told = "".join(f"$ {one.command}\n{anew(one.shown, one.came)}" for one in mine)
        elif block.remark == "output" and mine:
            told = anew(mine[0].shown, mine[0].came)
        else:
            continue
        text = text[: block.span[0]] + told + text[block.span[1] :]
    return text


def _lines(text: str) -> str:
    clean = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return "".join(f"{line.rstrip()}\n" for line in clean.strip("\n").splitlines())
