"""A pilot's files: takes its folder, gives the orders and what it told, each a journal of JSON lines with one writer.

The scheduler appends to `orders.jsonl`, the pilot to `told.jsonl`; whoever reads remembers how far. A file is opened
anew for every look: that is what lets NFS show what another machine has written (close-to-open consistency).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.home.files import read_small, write_atomic
from engine.home.paths import Home

BRISK_SECONDS, CALM_SECONDS = 0.01, 0.05  # between looks at a file: while something goes on, and else
BRISK_FOR = 2.0  # seconds after the last news


def look_seconds(news_at: float) -> float:
    """Return how long to wait between looks, by when the last news came: short jobs are not to wait for looks."""
    return BRISK_SECONDS if time.monotonic() - news_at < BRISK_FOR else CALM_SECONDS


@dataclass(frozen=True)
class PilotFolder:
    """`pilots/<name>`; the name is the engine's own id of what it runs, so that each finds the other."""

    root: Path

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def orders(self) -> Path:
        return self.root / "orders.jsonl"

    @property
    def told(self) -> Path:
        return self.root / "told.jsonl"

    @property
    def beat(self) -> Path:
        return self.root / "beat.json"

    @property
    def log(self) -> Path:
        """What it and its engine said; opened by the engine before anything of ours runs."""
        return self.root / "log.txt"

    @property
    def shape(self) -> Path:
        """What was asked of the engine for it."""
        return self.root / "shape.json"

    def write_beat(self, number: int) -> None:
        # Not synced: a beat that is lost with its machine tells the truth.
        write_atomic(self.beat, json.dumps({"beat": number}) + "\n", sync=False)

    def read_beat(self) -> int | None:
        number = (read_small(self.beat) or {}).get("beat")
        return number if isinstance(number, int) else None


def home_tag(home: Home) -> str:
    """Return what the names of a home's pilots begin with, among all that an engine has."""
    return "xp-" + sha256(str(home.root.resolve()).encode()).hexdigest()[:8]


class LineWriter:
    """Appends whole lines; a line that an earlier writer was killed in is ended first, and so counts for nothing.

    Without `syncs` lines may be lost with the machine: to be seen from another one it is enough that a file is closed.
    """

    def __init__(self, path: Path, *, syncs: bool = True) -> None:
        self.path, self.syncs, self.is_first = path, syncs, True

    def write(self, lines: Iterable[dict[str, Any]]) -> None:
        """Append lines in one write. Raises OSError where the disk takes none."""
        text = "".join(json.dumps(line) + "\n" for line in lines)
        if not text:
            return
        with open(self.path, "ab") as file:
            if self.is_first and file.tell():
                text = "\n" + text
            file.write(text.encode())
            file.flush()
            if self.syncs:
                os.fsync(file.fileno())
        self.is_first = False


class LineReader:
    """Reads what was appended since the last look; half a line waits for its end."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0

    def read(self) -> list[dict[str, Any]]:
        """Return the new lines that hold an object; none where there is no file yet."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                block = file.read()
        except OSError:
            return []
        whole = block[: block.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [found for found in map(_parse_line, whole.splitlines()) if found is not None]


def _parse_line(line: bytes) -> dict[str, Any] | None:
    with suppress(ValueError):
        found = json.loads(line)
        return found if isinstance(found, dict) else None
    return None
