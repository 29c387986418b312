"""The one door into an attempt: takes its folder and an environment, gives the exit status of the job's program.

A fork server's child, a cluster's launcher and a person who debugs come in here alike. Home, job and number follow
from the folder, `jobs/<job>/attempts/<k>`; the rest stands in the environment:

    XP_CACHE  the cache folder, else `cache` in the home
    XP_SLOT   the slot, else the first of CUDA_VISIBLE_DEVICES, else a CPU slot
    XP_OOMS   how many attempts before ran out of memory, else as their outcomes tell
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from engine.errors import HomeError, XpError
from engine.home.control_files import read_outcome
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.inputs.gpus import VISIBLE, read_allowed
from engine.launch import CPU_SLOT, Order
from engine.launch.environment import format_trace
from engine.launch.exits import Exit
from engine.launch.memory import count_kills, oom_counter
from engine.launch.process import boot_id, host_name, see_process, write_handle
from engine.launch.shortages import find_shortage

# Python's faulthandler writes all stacks upon it, and the process goes on.
STACK_SIGNAL = signal.SIGQUIT
STDERR = 2  # the descriptor: a Python stream may be of memory
Program = Callable[[Order], int]
LAYOUT = "jobs/<job>/attempts/<k>"
LEAST_PARTS = 5  # the root, and these four


def read_order(folder: Path, environment: Mapping[str, str]) -> Order:
    """Return the order that an attempt's folder and an environment are. Raises XpError when they are none."""
    folder = folder.absolute()
    if len(folder.parts) < LEAST_PARTS or not (
        folder.name.isdigit() and folder.parent.name == "attempts" and folder.parents[2].name == "jobs"
    ):
        fix = f"name a folder {LAYOUT}, or jobs/<job> for its next attempt"
        raise HomeError("this is not the folder of an attempt", where=str(folder), fix=fix)
    root = folder.parents[3]
    home = Home(root, Path(environment.get("XP_CACHE") or root / "cache").absolute())
    job = home.job(folder.parents[1].name)
    number, told = int(folder.name), environment.get("XP_OOMS", "")
    ooms = int(told) if told.isdigit() else count_ooms(job, number)
    return Order(home, job.job, number, find_slot(environment), ooms)


def find_slot(environment: Mapping[str, str]) -> str:
    """Return the slot that an environment names."""
    return environment.get("XP_SLOT") or next(iter(read_allowed(environment.get(VISIBLE, ""))), CPU_SLOT)


def count_ooms(job: JobFolder, number: int) -> int:
    """Return how many attempts before `number` ran out of memory, by the verdicts in their folders."""
    earlier = [attempt for attempt in job.attempts() if attempt.number < number]
    verdicts = map(read_outcome, earlier)
    return sum(verdict is not None and verdict.outcome == "oom" for verdict in verdicts)


def order_by_hand(folder: Path, environment: Mapping[str, str]) -> Order:
    """Return the order for a folder that a person named: an attempt's, or a job's for its next attempt.

    Raises XpError for what cannot be run: no such job, one that is done, an attempt that somebody has begun.
    """
    folder = folder.absolute()
    if folder.parent.name == "jobs":
        folder = next_attempt(JobFolder(folder)).root
    order = read_order(folder, environment)
    job = order.home.job(order.job)
    if not job.spec.exists():
        fix = "name a job that is there (ls jobs), or copy its folder, spec.json and details.json, into this home"
        raise HomeError("there is no such job here", where=str(job.root), fix=fix)
    if job.result.exists():
        fix = "to do it anew, copy its spec.json and details.json alone into jobs/ of another home, and run it there"
        raise HomeError("this job is done already", where=str(job.result), fix=fix)
    if order.folder.root.exists():
        raise taken_error(order)
    return order


def next_attempt(job: JobFolder) -> AttemptFolder:
    return job.attempt(max((attempt.number for attempt in job.attempts()), default=0) + 1)


def taken_error(order: Order) -> XpError:
    fix = f"name one that is free ({next_attempt(order.home.job(order.job)).root}), or the job's folder for the next"
    return HomeError("this attempt was begun already", where=str(order.folder.root), fix=fix)


def run_attempt(order: Order, program: Program, take_streams: Callable[[Path], None]) -> int:
    """Be the attempt: make its folder, write who we are, take the streams, run the job, write how it ended.

    The folder is the fence: of all who try, one makes it, and the others leave with Exit.TAKEN.
    """
    folder = order.folder
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.root.mkdir()
    except FileExistsError:
        return Exit.TAKEN
    handle = describe_self(order)
    # At once: until it is there a scheduler cannot tell which process this is (HANDLE_SECONDS in local.py).
    write_handle(folder.handle, handle)
    take_streams(folder.log)
    faulthandler.register(STACK_SIGNAL, all_threads=True)
    # What kills by SIGBUS or SIGSEGV leaves the line that it was met at in the log.
    faulthandler.enable(STDERR, all_threads=False)
    status = int(Exit.CRASHED)
    try:
        status = int(program(order))
    except SystemExit:
        raise
    except BaseException as error:
        status = judge_error(error)
    # Whatever it met then: without its home no job goes on.
    if status == Exit.CRASHED and not order.home.root.is_dir():
        status = int(Exit.LACKING)
    # A scheduler that did not start this process reads the exit status here.
    with suppress(OSError):
        write_handle(folder.handle, {**handle, "exit": status, "ended_at": time.time()})
    return status


def judge_error(error: BaseException) -> int:
    """Write the trace of what ended an attempt, and return its exit status; a full disk takes no trace."""
    with suppress(OSError):
        print(format_trace(error), end="", file=sys.stderr, flush=True)
    return int(Exit.LACKING if find_shortage(error) else Exit.CRASHED)


def fence_attempt(folder: AttemptFolder) -> bool:
    """Make the attempt's folder before its process can; True when it never will be one."""
    try:
        folder.root.parent.mkdir(parents=True, exist_ok=True)
        folder.root.mkdir()
    except FileExistsError:
        return False
    except OSError:
        # Where we cannot make a folder (a full disk), the child cannot either.
        return not folder.root.exists()
    return True


def describe_self(order: Order) -> dict[str, Any]:
    """Return what a handle says of this process."""
    seen, counter = see_process(os.getpid()), oom_counter()
    return {
        "pid": os.getpid(),
        "start_time": seen.start if seen else 0,
        "host": host_name(),
        "boot_id": boot_id(),
        "job": order.job,
        "attempt": order.attempt,
        "slot": order.slot,
        "started_at": time.time(),
        # What to compare with when it is killed.
        "oom_counter": str(counter),
        "oom_kills": count_kills(counter),
    }


# Streams --------------------------------------------------------------------------------------------------------------


def log_alone(log: Path) -> None:
    """Point 0, 1, 2 at nothing and the log: nobody watches."""
    empty = os.open(os.devnull, os.O_RDONLY)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for source, number in ((empty, 0), (target, 1), (target, 2)):
        os.dup2(source, number)
    os.close(empty)
    os.close(target)
    # The last whole line of a killed attempt is in its log.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def log_too(log: Path) -> None:
    """Let the terminal have what the job says, and the log a copy."""
    file = open(log, "a", buffering=1)  # noqa: SIM115  # open as long as the process lives
    sys.stdout, sys.stderr = Tee(sys.stdout, file), Tee(sys.stderr, file)


class Tee:
    """A text stream whose lines go to a second one too."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self.first, self.second = first, second

    def write(self, text: str) -> int:
        self.second.write(text)
        return self.first.write(text)

    def flush(self) -> None:
        self.second.flush()
        self.first.flush()

    def __getattr__(self, name: str) -> Any:
        """Everything else is as the first stream has it."""
        return getattr(self.first, name)
