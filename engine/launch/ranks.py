"""One attempt in several processes: takes what each rank does, gives the exit status of the attempt.

The attempt's own process starts them and only waits, so it sees at once when one ends, whatever the others wait for:
they are ended too, and the attempt ends as that rank did. One that was killed takes the attempt along by the same
signal, which is then retried as any attempt that was killed. When the attempt's process is killed, the kernel ends its
ranks with it; where there is no such kernel, they notice by a pipe.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from engine.launch.attempt_process import STACK_SIGNAL, judge_error
from engine.launch.death import die_with, leave_fork
from engine.launch.exits import Exit
from engine.launch.preempt import preempt_signals

LOOK_SECONDS = 0.05
# For the others, when one has ended by itself: time to say why they end, or to write what they were writing.
END_SECONDS = 10.0
PEER_LOST = 91  # what a rank exits with that ends because another one did; never an attempt
WELL = (Exit.DONE, Exit.STOPPED)
STDERR = 2


@dataclass(frozen=True)
class Rank:
    """One of `ranks` processes; `scratch` is a folder of this machine that all have, and that goes with them."""

    number: int
    ranks: int
    scratch: Path


Program = Callable[[Rank], int]


@dataclass
class Crew:
    """The processes of one attempt: which rank each is, and how those ended that have."""

    running: dict[int, int] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)  # exit statuses by rank, in the order of their ends
    kill_at: float | None = None

    def look(self, now: float) -> None:
        """Take in who has ended, and end the others where one did not end well."""
        for pid, rank in list(self.running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self.running[pid]
                self.ended[rank] = os.waitstatus_to_exitcode(status)
        bad = [code for code in self.ended.values() if code not in WELL]
        if bad and self.kill_at is None:
            self.kill_at = now if min(bad) < 0 else now + END_SECONDS
        if self.kill_at is not None and now >= self.kill_at:
            self.signal(signal.SIGKILL)

    def signal(self, number: int, rank: int | None = None) -> None:
        """Send a signal to one rank, or to all."""
        for pid, other in list(self.running.items()):
            if rank in (None, other):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def verdict(self) -> tuple[int, int]:
        """Return which rank decided how the attempt ended, and its exit status."""
        for rank, code in self.ended.items():
            if code not in (*WELL, PEER_LOST):
                return rank, code
        # Those that lost a peer have nothing to say beside one that ended as it was asked to.
        well = [(rank, code) for rank, code in sorted(self.ended.items()) if code in WELL]
        return well[0] if well else (0, int(Exit.CRASHED))


def run_ranks(ranks: int, program: Program) -> int:
    """Do `program` in so many processes; return the exit status of the attempt, or end by the signal a rank ended by.

    Called while this process has one thread, before it has begun with a device.
    """
    # On a disk of this machine: ranks meet over a file, and the home may lie on one that has no locks.
    scratch = Path(tempfile.mkdtemp(prefix="xp-ranks-"))
    crew, (reader, writer), parent = Crew(), os.pipe(), os.getpid()
    try:
        for number in range(ranks):
            pid = os.fork()
            if pid == 0:
                os.close(writer)
                _be_rank(Rank(number, ranks, scratch), program, reader, parent)
            crew.running[pid] = number
        _pass_on_signals(crew)
        while crew.running:
            crew.look(time.monotonic())
            time.sleep(LOOK_SECONDS)
    finally:
        crew.signal(signal.SIGKILL)
        os.close(reader)
        os.close(writer)
        shutil.rmtree(scratch, ignore_errors=True)
    return _end_as(*crew.verdict())


def _pass_on_signals(crew: Crew) -> None:
    """What asks the attempt to end goes to rank 0, which tells the others; what asks where it is to all."""

    def tell_first(number: int, frame: FrameType | None) -> None:
        crew.signal(number, 0)

    def tell_all(number: int, frame: FrameType | None) -> None:
        crew.signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, *preempt_signals()):
        signal.signal(number, tell_first)
    signal.signal(STACK_SIGNAL, tell_all)


def _be_rank(rank: Rank, program: Program, reader: int, parent: int) -> NoReturn:
    status = int(Exit.CRASHED)
    try:
        die_with(parent)
        threading.Thread(target=_end_with, args=(reader,), daemon=True).start()
        if rank.number:
            _mute_stdout()
        status = int(program(rank))
    except BaseException as error:
        status = judge_error(error)
    finally:
        leave_fork(status)


def _end_with(reader: int) -> None:
    """End when nobody holds the other end of the pipe any more: the parent is gone."""
    with suppress(OSError):
        os.read(reader, 1)
    os._exit(1)


def _mute_stdout() -> None:
    """Rank 0 says how the training goes; errors of all go to the log."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # open as long as the process lives


def _end_as(rank: int, code: int) -> int:
    if code >= 0:
        return code
    print(f"rank {rank} was killed by {_name(-code)}, and the attempt ends with it", file=sys.stderr, flush=True)
    with suppress(OSError):  # SIGKILL, which nobody can catch
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    time.sleep(LOOK_SECONDS)
    return int(Exit.CRASHED)  # the signal is ignored here


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
