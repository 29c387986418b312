"""Single keys of a terminal: sequences have names, and however it ends, the terminal is as it was."""

from __future__ import annotations

import os
import signal
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from engine.cli.keys import name_keys, open_keys


@pytest.fixture
def pair() -> Iterator[tuple[int, int]]:
    """A pseudo terminal: the end of who types, and the end of the program."""
    master, slave = os.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def nothing() -> None:
    """No screen to leave or enter."""


@pytest.mark.parametrize(
    ("told", "names"),
    [
        (b"q", ["q"]), (b"jk", ["j", "k"]), (b"\x1b[A\x1bOB", ["up", "down"]), (b"\x1b[5~x", ["page up", "x"]),
        (b"\r\n", ["enter", "enter"]), (b"\x1b", ["escape"]), (b"\x7f", ["left"]), (b"\x04", ["q"]),
        (b"\x1b[1;5Cq", ["q"]), (b"\x1b[", []), (b"\x1b\x1b", ["escape", "escape"]), (b"?\xc3", ["?", ""]),
    ],
)  # fmt: skip
def test_bytes_are_named_as_keys(told: bytes, names: list[str]) -> None:
    assert list(name_keys(told)) == names


def test_keys_come_one_by_one_without_echo(pair: tuple[int, int]) -> None:
    master, slave = pair
    with open_keys(nothing, nothing, slave) as keys:
        assert keys.wait(0.0) == []
        os.write(master, b"j\x1b[B")
        assert keys.wait(5.0) == ["j", "down"]
        mode = termios.tcgetattr(slave)[3]
        assert not mode & (termios.ICANON | termios.ECHO)
        assert mode & termios.ISIG, "Ctrl-C is a signal still"


class Trouble(Exception):
    """What goes wrong while keys are read."""


@pytest.mark.parametrize("error", [Trouble, KeyboardInterrupt, SystemExit])
def test_a_terminal_is_restored_after_any_error(pair: tuple[int, int], error: type[BaseException]) -> None:
    _, slave = pair
    before, handlers = termios.tcgetattr(slave), signal.getsignal(signal.SIGTERM)
    with pytest.raises(error), open_keys(nothing, nothing, slave):
        raise error
    assert termios.tcgetattr(slave) == before
    assert signal.getsignal(signal.SIGTERM) == handlers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_kill_ends_it_as_an_error_does(pair: tuple[int, int], number: signal.Signals) -> None:
    _, slave = pair
    before = termios.tcgetattr(slave)

    def be_killed() -> None:
        with open_keys(nothing, nothing, slave) as keys:
            os.kill(os.getpid(), number)
            keys.wait(5.0)

    with pytest.raises(SystemExit) as ended:
        be_killed()
    assert ended.value.code == 128 + number
    assert termios.tcgetattr(slave) == before


def test_resizing_wakes_who_waits(pair: tuple[int, int]) -> None:
    _, slave = pair
    with open_keys(nothing, nothing, slave) as keys:
        waker = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGWINCH))
        begun = time.monotonic()
        waker.start()
        assert keys.wait(30.0) == []
        waker.join()
    assert time.monotonic() - begun < 15.0


def test_a_stop_leaves_the_terminal_as_it_was_and_goes_on(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, slave = pair
    before, told, honest = termios.tcgetattr(slave), list[object](), os.kill

    def stop(process: int, number: int) -> None:
        if number != signal.SIGSTOP:
            honest(process, number)
            return
        told.append(termios.tcgetattr(slave) == before)

    monkeypatch.setattr(os, "kill", stop)
    with open_keys(lambda: told.append("left"), lambda: told.append("entered"), slave):
        os.kill(os.getpid(), signal.SIGTSTP)
        while len(told) < 3:
            time.sleep(0.001)
        assert termios.tcgetattr(slave) != before
    assert told == ["left", True, "entered"]


def test_a_terminal_that_went_away_reads_as_leaving() -> None:
    master, slave = os.openpty()
    with open_keys(nothing, nothing, slave) as keys:
        monkey = keys.terminal
        read, write = os.pipe()
        os.close(write)
        keys.terminal = read
        assert keys.wait(1.0) == ["q"]
        keys.terminal = monkey
    for one in (master, slave, read):
        os.close(one)
