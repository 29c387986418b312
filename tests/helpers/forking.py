"""A process that loads the engine once and forks for each job, so that tests can kill real job processes quickly.

A job that is to be struck in the middle of something waits there for the signal: `hold` names the phases and the step.
However fast or slow the machine is, the signal arrives where the test means it to.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.launch import Order
from tests.helpers.queueing import until

Hold = tuple[tuple[str, ...], int]
PROGRAM = """
import gc, json, os, sys, time
from pathlib import Path
from engine.launch.attempt_process import log_alone, read_order, run_attempt
from engine.run import main, prepare
from engine.run.attempt import Attempt

prepare()  # as a fork server does, once for all its jobs
gc.freeze()


def hold_at(phases, least):
    beat = Attempt.beat

    def beat_and_hold(attempt, phase, **figures):
        beat(attempt, phase, **figures)
        if phase in phases and (figures["step"] or 0) >= least:
            (attempt.folder.root / "held").touch()
            while not attempt.should_stop():
                time.sleep(0.005)

    Attempt.beat = beat_and_hold


for line in sys.stdin:
    folder, env, hold = json.loads(line)
    pid = os.fork()
    if pid == 0:
        if hold:
            hold_at(*hold)
        os.environ.update(env)
        status = run_attempt(read_order(Path(folder), os.environ), main, log_alone)
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    print(pid, flush=True)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class ForkServer:
    """Runs one job at a time. `start` returns its pid, `wait` its exit status (minus the signal that killed it)."""

    def __init__(self) -> None:
        self.is_waited, self.pid = True, 0
        root = Path(__file__).parents[2]
        # No thread, nothing from the net, and nothing of the person's own.
        quiet = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": os.devnull}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env=quiet,
        )

    def start(self, order: Order, hold: Hold | None = None) -> int:
        """Start an attempt and return its pid once its folder says who it is."""
        if not self.is_waited:  # a test that failed before it waited must not shift what the next one reads
            strike(self.pid, signal.SIGKILL)
            self.wait()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([str(order.folder.root), order.environment, hold]) + "\n")
        self.process.stdin.flush()
        self.is_waited = False
        self.pid = int(self._read())
        until(order.folder.handle.exists)
        return self.pid

    def wait(self) -> int:
        self.is_waited = True
        return int(self._read())

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def close(self) -> None:
        """End it; it would end with this process too."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@cache
def shared_server() -> ForkServer:
    """Return the server of all tests of this process: what it loads takes five seconds."""
    server = ForkServer()
    atexit.register(server.close)
    return server


def strike(pid: int, number: int) -> bool:
    """Send a signal to one process; return False when it has ended. Never to a group, whatever `pid` came out as."""
    assert pid > 1
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
