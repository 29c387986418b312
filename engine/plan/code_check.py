"""Own code checked before it is planned with: takes questions, gives what is wrong with each, from one child process.

The child imports torch and the code; whoever plans imports neither. It is told to answer within a time and a share of
the memory that is free, and is stopped with all that it started when it does not.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.home.files import read_object, write_atomic
from engine.home.paths import Home
from engine.plan.child import package_version
from engine.spec.identity import digest_of

MODULE = "engine.core.own_code.check"
COMMAND = (sys.executable, "-P", "-m", MODULE)
START_SECONDS, SECONDS, SLOWER = 900.0, 30.0, 6.0
"""How long the child may take to load torch, and a piece of code to be imported twice and tried: on a machine that has
much else to do as much longer as torch took to load, `SLOWER` times that."""
MEMORY_SHARE, LOOK_SECONDS = 0.8, 0.1
"""How much of the memory that is free at its start the child may come to hold, and how often that is looked at: not its
address space, of which torch takes much and uses little."""
Wrong = Mapping[str, Any]


def check_all(home: Home, questions: Sequence[Mapping[str, Any]]) -> list[list[Wrong]]:
    """Return what is wrong with each: `what`, `fix`, the option `at` fault, or `file` and `line`; [] where nothing.

    What was found good is kept in the cache, and not tried again.
    """
    known = (read_object(home.fits) if home.fits.exists() else {}) or {}
    keys = [_key(question) for question in questions]
    asked = [at for at, key in enumerate(keys) if known.get(key) != []]
    found: list[list[Wrong]] = [[] for _ in questions]
    if not asked:
        return found
    for at, wrong in zip(asked, _ask([questions[at] for at in asked]), strict=True):
        found[at] = wrong
    good: dict[str, list[Wrong]] = {keys[at]: [] for at in asked if not found[at]}
    if good:
        home.fits.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(home.fits, json.dumps({**known, **good}, sort_keys=True))
    return found


def _key(question: Mapping[str, Any]) -> str:
    versions = [package_version(name) for name in ("torch", "timm")]
    return digest_of({"module": MODULE, "question": dict(question), "versions": versions})


def _ask(questions: Sequence[Mapping[str, Any]]) -> list[list[Wrong]]:
    """Ask one child all; where a piece of code hangs or ends it, another child goes on with the next."""
    found: list[list[Wrong]] = []
    while len(found) < len(questions):
        found += _ask_child(questions[len(found) :])
    return found


def _ask_child(questions: Sequence[Mapping[str, Any]]) -> Iterator[list[Wrong]]:
    """Yield the answers of one child; of the question that it did not survive what became of it, and no more."""
    child = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, start_new_session=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(json.dumps([dict(question) for question in questions]).encode())
        child.stdin.close()
        lines = _Lines(child.stdout.fileno(), child.pid)
        started = time.monotonic()
        began = lines.read(START_SECONDS)
        seconds = max(SECONDS, SLOWER * (time.monotonic() - started))
        for place in range(len(questions)):
            if began is None or "begins" not in began:
                yield [
                    _lost("the check could not begin", "see whether torch can be imported: python -c 'import torch'")
                ]
                return
            lines.most = int(MEMORY_SHARE * float(began.get("room") or 0)) or None
            answer = lines.read(seconds)
            if answer is None:
                yield [_silent(child, seconds, lines)]
                return
            wrong = answer.get("wrong")
            if not isinstance(wrong, list):
                yield [_lost("it writes into the pipe of the check", "leave files alone that it did not open")]
                return
            yield wrong
            began = lines.read(seconds) if place + 1 < len(questions) else None
    except BrokenPipeError:
        yield [_lost("the check could not begin", "see whether torch can be imported: python -c 'import torch'")]
    finally:
        _end(child)


def _silent(child: subprocess.Popen[bytes], seconds: float, lines: _Lines) -> Wrong:
    if lines.is_full:
        what = f"importing or calling it takes more than {(lines.most or 0) / 1e9:.1f} GB of memory"
        fix = f"let it hold less, or try it where more is free: {MEMORY_SHARE:.0%} of what is free here is the limit"
        return _lost(what, fix)
    if not lines.is_over:
        fix = "let it do its work when it is called, and not when it is imported"
        return _lost(f"it did not answer within {seconds:.0f} s: importing or calling it hangs", fix)
    try:
        status = child.wait(5)
    except subprocess.TimeoutExpired:
        return _lost("it closed its answers and goes on", "start no thread or process when it is imported")
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    return _lost(f"importing or calling it ends the process ({how})", "raise an error instead")


def _lost(what: str, fix: str) -> Wrong:
    return {"what": what, "fix": fix, "at": "", "file": "", "line": 0}


def _end(child: subprocess.Popen[bytes]) -> None:
    """Stop the child, and what the code started there."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


class _Lines:
    """Lines of JSON from a process, waited for no longer than is said, or until it holds more than `most` bytes."""

    def __init__(self, pipe: int, pid: int) -> None:
        self._pipe, self._pid, self._held = pipe, pid, b""
        self.is_over = self.is_full = False
        self.most: int | None = None
        self._ready = selectors.DefaultSelector()
        self._ready.register(pipe, selectors.EVENT_READ)

    def read(self, seconds: float) -> dict[str, Any] | None:
        """Return the next line, None where none came in time or no more will come."""
        until = time.monotonic() + seconds
        while b"\n" not in self._held:
            left = max(0.0, until - time.monotonic())
            if not self._ready.select(min(left, LOOK_SECONDS)):
                self.is_full = self.most is not None and _resident_bytes(self._pid) > self.most
                if self.is_full or left <= LOOK_SECONDS:
                    return None
                continue
            some = os.read(self._pipe, 1 << 16)
            if not some:
                self.is_over = True
                return None
            self._held += some
        line, _, self._held = self._held.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError:  # the code wrote there itself
            return {}
        return told if isinstance(told, dict) else {}


def _resident_bytes(pid: int) -> int:
    """Return the memory that a process holds; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
