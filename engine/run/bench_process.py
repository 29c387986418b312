"""A bench in a process of its own: takes what makes one, gives answers over a pipe; it dies with the job.

Forked, so that a round costs no import of torch. The job's process itself must run no operator before: a fork takes
along neither torch's threads nor a CUDA that has begun. Whatever ends the job ends its benches: they are in its
session, are killed when it leaves a round, and by the kernel when it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, NoReturn, Self, TypeVar

from engine.errors import XpError
from engine.launch.death import die_with
from engine.launch.preempt import preempt_signals
from engine.run.device import is_memory_error

T = TypeVar("T")
FORKING = multiprocessing.get_context("fork")
LOOK_SECONDS = 0.2  # how often the job's process looks up while it waits
Order = tuple[str, tuple[Any, ...]]  # the method to call, and with what


class BenchProcess(Generic[T]):
    """What `make` returns, in another process: `ask(method, ...)` calls it there. Use as a context manager.

    `look_up` is called before each question and while an answer is waited for: what it raises ends the asking.
    """

    def __init__(self, make: Callable[[], T], look_up: Callable[[], None]) -> None:
        self.look_up = look_up
        self.link, theirs = FORKING.Pipe()
        self.process = FORKING.Process(target=_serve, args=(theirs, make, os.getpid()), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, method: str, *words: Any) -> Any:
        """Return what the method gives there; raise what it raises, MemoryError where memory ran out."""
        self.look_up()
        try:
            self.link.send((method, words))
            while not self.link.poll(LOOK_SECONDS):
                self.look_up()
            is_well, answer = self.link.recv()
        except (EOFError, ConnectionError):
            self._tell_death()
        if not is_well:
            raise answer
        return answer

    def _tell_death(self) -> NoReturn:
        # Who is asked to stop may see its bench die of the same signal first.
        self.look_up()
        self.process.join()
        what = f"a process that measures ended without an answer (exit {self.process.exitcode})"
        raise XpError(what, fix="see the log of this attempt; -9 is often the machine's, where its memory ran out")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.join()
        self.link.close()


def _serve(link: Connection, make: Callable[[], Any], job: int) -> None:
    """Be the bench: answer until the job's process ends it."""
    _follow_job(job)
    bench = None
    with suppress(EOFError):
        while True:
            method, words = link.recv()
            try:
                bench = make() if bench is None else bench
                answer = True, getattr(bench, method)(*words)
            except Exception as error:
                answer = False, _portable(error)
            link.send(answer)


def _follow_job(job: int) -> None:
    """Let the job's process decide about every signal but the one that kills."""
    for number in (signal.SIGTERM, signal.SIGINT, *preempt_signals()):
        signal.signal(number, signal.SIG_IGN)
    die_with(job)


def _portable(error: Exception) -> Exception:
    """Return an error that the pipe can carry and that says the same to the job's process."""
    if is_memory_error(error):
        return MemoryError(str(error))
    if isinstance(error, XpError):
        return error
    traceback.print_exception(error)
    return RuntimeError(f"{type(error).__name__}: {error}")
