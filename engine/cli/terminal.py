r"""The door to the terminal: takes what commands print, lets nothing steer the terminal but what we draw ourselves.

Names of folders, texts of specs, cells of answers and lines of logs are what somebody else wrote, and an escape
sequence in them would move the cursor, hide text or write the clipboard. So on a terminal both streams show such
characters as \x1b, whoever prints: a command, a warning, a traceback. What rich draws goes past them, from a console
that does the same to the text in it (cli/render.py). In a pipe `tell` and `say` do so too; `hand_out`, for data, leaves
it to the reader.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from store.escape import show_text


class CleanStream:
    """A text stream of a terminal that shows what is unprintable; `rich_proxied_file` is where consoles draw."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        self.rich_proxied_file.write(show_text(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Everything else is as the stream has it."""
        return getattr(self.rich_proxied_file, name)


def open_streams() -> None:
    """Let a stream that whoever started us has closed lead nowhere.

    The next file to be opened would get its number, and what a library or a child prints would be written into it.
    """
    for mode, name in (("r", "stdin"), ("w", "stdout"), ("w", "stderr")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115  # as long as the process; the lowest number
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def guard_streams() -> None:
    """Clean the two streams of this process where they are a terminal; no character ends a command."""
    open_streams()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        is_plain = stream.encoding.lower().replace("-", "") in ("ascii", "usascii", "ansi_x3.41968")
        stream.reconfigure(encoding="utf-8" if is_plain else None, errors="backslashreplace")
        if stream.isatty():
            setattr(sys, name, cast(TextIO, CleanStream(stream)))


def drawing_stream() -> TextIO:
    """Return stderr as it is, for bars and counters of our own."""
    return cast(TextIO, getattr(sys.stderr, "rich_proxied_file", sys.stderr))


def draw_line(text: str) -> None:
    """Draw over the line that the cursor is on, where a person looks on."""
    stream = drawing_stream()
    stream.write(f"\r{text}")
    stream.flush()


def hand_out(text: str) -> None:
    """Print data on stdout: exactly as it is to a file or another program, clean on a terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
