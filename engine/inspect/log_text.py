"""Logs on a page: takes a log that may have gigabytes, gives some of its lines with what no page may show taken out.

A place in a log is a byte. Escape sequences of terminals go, of a line that was written over and over (a progress bar)
its last state stays, and other control characters become a sign that is seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

LINES = 200
CHUNK = 1 << 16  # bytes that are read at once
MOST = 1 << 20  # bytes of one answer
LONGEST = 4000  # letters of a line that are shown
# Sequences of ECMA-48: CSI, OSC up to its end, and those of two letters.
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class LogPart:
    """Lines of a log from byte `start` to byte `end`; `start` 0 is its beginning."""

    lines: tuple[str, ...]
    start: int
    end: int

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def read_last(path: Path, *, before: int | None = None, lines: int = LINES, most: int = MOST) -> LogPart:
    """Return the last lines of a log, or those before a byte, out of `most` bytes; none where there is no log."""
    try:
        with open(path, "rb") as handle:
            end = handle.seek(0, 2) if before is None else min(before, handle.seek(0, 2))
            start, held = end, b""
            while start > 0 and held.count(b"\n") <= lines and len(held) < most:
                size = min(CHUNK, start, most - len(held))
                start -= size
                handle.seek(start)
                held = handle.read(size) + held
    except FileNotFoundError:
        return LogPart((), 0, 0)
    return _cut(held, start, lines)


def _cut(held: bytes, start: int, lines: int) -> LogPart:
    end = start + len(held)
    pieces = held.split(b"\n")
    ends_whole = pieces[-1] == b""
    kept = lines + 1 if ends_whole else lines
    if start > 0 and len(pieces) - ends_whole > 1 and len(pieces) <= kept:
        kept = len(pieces) - 1  # the first is the end of a line that lies further up
    cut = b"\n".join(pieces[-kept:])
    return LogPart(_clean_lines(cut), end - len(cut), end)


def read_after(path: Path, after: int) -> LogPart:
    """Return what was written after a byte, up to the last whole line; from the start where the log is shorter now."""
    try:
        with open(path, "rb") as handle:
            start = after if after <= handle.seek(0, 2) else 0
            handle.seek(start)
            held = handle.read(MOST)
    except FileNotFoundError:
        return LogPart((), 0, 0)
    whole = held if len(held) == MOST and b"\n" not in held else held[: held.rfind(b"\n") + 1]
    return LogPart(_clean_lines(whole), start, start + len(whole))


def _clean_lines(held: bytes) -> tuple[str, ...]:
    if not held:
        return ()
    return tuple(clean(line) for line in held.removesuffix(b"\n").decode("utf-8", "replace").split("\n"))


def clean(line: str) -> str:
    """Return a line as a page may show it."""
    line = ESCAPES.sub("", line.rstrip("\r")).rpartition("\r")[2]
    line = CONTROLS.sub("\N{REPLACEMENT CHARACTER}", line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} … {len(line) - LONGEST:,} letters more"
