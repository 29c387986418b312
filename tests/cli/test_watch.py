"""Watching on a pseudo terminal: it draws, keys reach it, and however it ends the terminal is as it was."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.cli.terminal import guard_streams
from engine.cli.watch import watch_with_keys
from engine.home.paths import Home
from tests.helpers.queueing import Probe, make_home, submit_probes

ENTERED, LEFT, SHOWN = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
PATIENCE = 20.0  # seconds
Step = tuple[bytes, Callable[["Desk"], None]]


@dataclass
class Desk:
    """Who sits at the terminal: does the next step as soon as what it waits for was drawn since the last one."""

    master: int
    steps: Sequence[Step]
    seen: bytes = b""
    done: list[int] = field(default_factory=list)

    def sit(self) -> None:
        mark = 0
        for number, (wanted, act) in enumerate(self.steps):
            while wanted not in self.seen[mark:]:
                self._read()
            mark = len(self.seen)
            self.done.append(number)
            act(self)
        while LEFT not in self.seen:
            self._read()

    def _read(self) -> None:
        if not select.select([self.master], (), (), PATIENCE)[0]:
            self.type(b"qq")  # nothing comes any more: who watches is let go, and the test sees how far it came
            raise TimeoutError
        self.seen += os.read(self.master, 1 << 16)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)


def typing(keys: bytes) -> Callable[[Desk], None]:
    return lambda desk: desk.type(keys)


def killing(number: int) -> Callable[[Desk], None]:
    return lambda _: os.kill(os.getpid(), number)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    return home


@pytest.fixture
def desk(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Home, Sequence[Step]], tuple[Desk, BaseException | None]]]:
    """Watch with somebody at a terminal of 80 x 24; give what was drawn and what ended it."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(slave)

    def work(home: Home, steps: Sequence[Step]) -> tuple[Desk, BaseException | None]:
        sitting = Desk(master, steps)
        thread = threading.Thread(target=sitting.sit, daemon=True)
        thread.start()
        ended = _watch(home, slave, monkeypatch)
        thread.join(PATIENCE)
        assert not thread.is_alive(), (sitting.done, sitting.seen[-500:])
        assert termios.tcgetattr(slave) == before, "as it was"
        return sitting, ended

    yield work
    os.close(master)
    os.close(slave)


def _watch(home: Home, slave: int, monkeypatch: pytest.MonkeyPatch) -> BaseException | None:
    with ExitStack() as stack, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("COLUMNS", raising=False)
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            stream = stack.enter_context(os.fdopen(os.dup(slave), mode, encoding="utf-8"))
            patch.setattr(sys, name, stream)
        guard_streams()
        try:
            watch_with_keys(home, "one")
        except BaseException as error:
            return error
        finally:
            sys.stdout.flush()
    return None


Work = Callable[[Home, Sequence[Step]], tuple[Desk, BaseException | None]]


def test_keys_draw_panes_and_q_leaves_with_the_last_view(home: Home, desk: Work) -> None:
    told, ended = desk(
        home,
        [(b"q leave", typing(b"l")), (b"log of one/arm/cell@0", typing(b"\x1b[B")),
         (b"log of one/arm/cell@1", typing(b"?")), (b"leave; everything goes on running", typing(b"q"))],
    )  # fmt: skip
    assert ended is None
    assert told.seen.startswith(ENTERED)
    assert SHOWN in told.seen[told.seen.index(LEFT) - 40 :]
    assert b"\\x1b" not in told.seen, "what we draw ourselves is no text"


def test_an_order_is_asked_for_and_carried_out(home: Home, desk: Work, started: list[Home]) -> None:
    _, ended = desk(
        home,
        [(b"q leave", typing(b"x")), (b"cancel one/arm/cell@0? y/n", typing(b"y")),
         (b"cancel one/arm/cell@0: 1 job", typing(b"q"))],
    )  # fmt: skip
    assert ended is None


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit), (signal.SIGHUP, SystemExit)],
)
def test_a_signal_ends_it_with_the_terminal_as_it_was(home: Home, desk: Work, number: int, kind: type) -> None:
    # What was begun in the background of a shell ignores Ctrl-C, and so would these tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    _, ended = desk(home, [(b"q leave", killing(number))])
    signal.signal(signal.SIGINT, before)
    assert isinstance(ended, kind)
    assert signal.getsignal(signal.SIGWINCH) == signal.SIG_DFL


def test_an_error_leaves_the_terminal_as_it_was(home: Home, desk: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("engine.cli.watch_screen._pane", fail)
    _, ended = desk(home, [(b"q leave", typing(b"l"))])
    assert isinstance(ended, ZeroDivisionError)
