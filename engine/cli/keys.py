"""A terminal that gives single keys: takes a terminal's file, gives names of keys as they are pressed, and restores it.

However it ends (a return, an exception, Ctrl-C, SIGTERM, SIGHUP, Ctrl-Z), the terminal is as it was before.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

ENDING = (signal.SIGTERM, signal.SIGHUP)
SEQUENCES = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down", b"\x1b[C": "right", b"\x1bOC": "right",
    b"\x1b[D": "left", b"\x1bOD": "left", b"\x1b[5~": "page up", b"\x1b[6~": "page down", b"\x1b[H": "home",
    b"\x1b[F": "end", b"\x1b[1~": "home", b"\x1b[4~": "end",
}  # fmt: skip
SINGLE = {b"\r": "enter", b"\n": "enter", b"\x1b": "escape", b"\x7f": "left", b"\x08": "left", b"\x04": "q"}
MOST = 64  # bytes that are read at once


class Keys:
    """What is pressed on a terminal that is in cbreak mode; resizing wakes whoever waits."""

    def __init__(self, terminal: int, bell: int) -> None:
        self.terminal, self.bell = terminal, bell

    def wait(self, seconds: float) -> list[str]:
        """Return the keys that are pressed within `seconds`; none when the time is over or the size has changed."""
        ready, _, _ = select.select([self.terminal, self.bell], (), (), seconds)
        if self.bell in ready:
            os.read(self.bell, MOST)
        if self.terminal not in ready:
            return []
        told = os.read(self.terminal, MOST)
        # A terminal that went away reads as empty for ever: whoever sat there has left.
        return list(name_keys(told)) if told else ["q"]


def name_keys(told: bytes) -> Iterator[str]:
    """Yield the names of keys: `up`, `enter`, `escape`; letters are their own. Unknown sequences are none."""
    while told:
        found = next((one for one in SEQUENCES if told.startswith(one)), None)
        if found:
            yield SEQUENCES[found]
            told = told[len(found) :]
        elif told[:1] == b"\x1b" and len(told) > 1 and told[1:2] in b"[O":
            told = told[_length(told) :]
        else:
            yield SINGLE.get(told[:1]) or told[:1].decode("ascii", "ignore")
            told = told[1:]


def _length(told: bytes) -> int:
    """Return how long a sequence is: up to its first letter or `~`."""
    ends = [at for at, sign in enumerate(told[2:], 3) if chr(sign).isalpha() or sign == ord("~")]
    return ends[0] if ends else len(told)


@contextmanager
def open_keys(leave: Callable[[], Any], enter: Callable[[], Any], terminal: int | None = None) -> Iterator[Keys]:
    """Give the keys of a terminal, stdin by default; `leave` and `enter` take the screen away and draw it, for Ctrl-Z.

    SIGTERM and SIGHUP end it as an exception does, so that whatever is open is closed. Main thread only.
    """
    number = sys.stdin.fileno() if terminal is None else terminal
    before = termios.tcgetattr(number)
    bell, bell_in = os.pipe()
    os.set_blocking(bell_in, False)

    def ring(*_: object) -> None:
        with suppress(OSError):
            os.write(bell_in, b"x")

    def end(found: int, _: FrameType | None) -> None:
        raise SystemExit(128 + found)

    def rest(*_: object) -> None:
        """Stop as asked with the terminal as it was; go on where it was left."""
        leave()
        termios.tcsetattr(number, termios.TCSADRAIN, before)
        os.kill(os.getpid(), signal.SIGSTOP)
        tty.setcbreak(number)
        enter()
        ring()

    handlers: dict[signal.Signals, Callable[..., None]] = {
        signal.SIGWINCH: ring,
        signal.SIGTSTP: rest,
        **dict.fromkeys(ENDING, end),
    }
    olds = {one: signal.signal(one, handler) for one, handler in handlers.items()}
    try:
        tty.setcbreak(number)
        yield Keys(number, bell)
    finally:
        # The terminal first: whatever else fails, it is as it was.
        termios.tcsetattr(number, termios.TCSADRAIN, before)
        for one, old in olds.items():
            signal.signal(one, old)
        os.close(bell)
        os.close(bell_in)
