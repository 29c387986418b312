"""The process that has the heavy imports done: takes orders over a socket, forks a child for each, tells how it ended.

    python -m engine.launch.forkserver --preload engine.run --socket 5

Lines of JSON. In: {"folder": the attempt's, "env": {...}}, which engine/launch/attempt_process.py reads. Out:
{"ready": true}, {"forked": pid, "start": ticks, "folder"}, {"exit": status or -signal, "folder"}, {"error": text}.

It is exec'ed and stays single-threaded (a fork copies only the thread that calls it), touches no CUDA, and imports
no duckdb. It ends as soon as the scheduler's end of the socket closes. Its children do not: each is the leader of a
session of its own, and the next scheduler finds them by `handle.json`, which also keeps their exit status.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from engine.launch.attempt_process import judge_error, log_alone, read_order, run_attempt
from engine.launch.death import leave_fork
from engine.launch.exits import Exit
from engine.launch.preempt import preempt_signals
from engine.launch.process import kill_session, see_process, thread_count

# numpy's OpenBLAS starts a pool of threads on import unless told not to; the variable itself is put back afterwards.
QUIET = {"OPENBLAS_NUM_THREADS": "1"}


class Server:
    """One socket, one loop, the children by pid."""

    def __init__(self, link: socket.socket, module: Any) -> None:
        self.link, self.module = link, module
        self.children: dict[int, dict[str, Any]] = {}
        self.pending = b""
        # poll goes on waiting after a signal (PEP 475), so a child's end has to come as something to read.
        self.bell, bell_in = os.pipe()
        # Python wants the end that it writes to non-blocking.
        for end in (self.bell, bell_in):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(bell_in, warn_on_full_buffer=False)
        # A handler that does nothing: without one no byte is written to the pipe.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # A Ctrl-C in the scheduler's terminal is the scheduler's business.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, *preempt_signals()):
            signal.signal(number, signal.SIG_IGN)

    def serve(self) -> None:
        """Fork until the scheduler is gone."""
        self.tell({"ready": True})
        poller = select.poll()
        poller.register(self.link, select.POLLIN)
        poller.register(self.bell, select.POLLIN)
        while True:
            ready = {handle for handle, _ in poller.poll()}
            if self.bell in ready:
                with suppress(BlockingIOError):
                    os.read(self.bell, 4096)
                # One byte may stand for several children, because pending signals are merged.
                self.reap()
            if self.link.fileno() in ready and not self.receive():
                return

    def tell(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # nobody listens any more: the loop ends at its next look
            self.link.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> bool:
        """Read what came and fork for each whole line; False when the other end has closed."""
        try:
            block = self.link.recv(1 << 16)
        except ConnectionError:
            return False
        *lines, self.pending = (self.pending + block).split(b"\n")
        for line in lines:
            self.fork(json.loads(line))
        return bool(block)

    def fork(self, message: dict[str, Any]) -> None:
        # What is left in the buffers would be written once more by the child.
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            run_child(self.module, message)
        # A child that has ended already is still in /proc: it is not reaped yet.
        seen = see_process(pid)
        child = {"folder": message["folder"], "start": seen.start if seen else 0}
        self.children[pid] = child
        self.tell({"forked": pid, **child})

    def reap(self) -> None:
        """Tell of ended children. What one left in its session goes before its pid may be used again."""
        for pid, child in list(self.children.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            kill_session(pid, child["start"])
            _, status = os.waitpid(pid, 0)
            del self.children[pid]
            self.tell({"exit": os.waitstatus_to_exitcode(status), **child})


def run_child(module: Any, message: dict[str, Any]) -> NoReturn:
    """Be the attempt, in a session of its own; never returns into the server's loop."""
    status = int(Exit.CRASHED)
    try:
        status = _run_order(module, message)
    except SystemExit as leaving:
        # As Python turns a SystemExit into a status.
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException as error:
        # Where its folder cannot even be made, this status is all that tells why.
        status = judge_error(error)
    finally:
        leave_fork(status)


def _run_order(module: Any, message: dict[str, Any]) -> int:
    # First: a SIGTERM that comes from here on has to end us.
    _reset_signals()
    # A session, so that everything the attempt starts can be found and killed with it.
    os.setsid()
    # Before the job touches CUDA, which reads CUDA_VISIBLE_DEVICES once.
    os.environ.update(message.get("env") or {})
    return run_attempt(read_order(Path(message["folder"]), os.environ), module.main, _take_over_streams)


def _reset_signals() -> None:
    # A signal to the child would write into the server's pipe.
    signal.set_wakeup_fd(-1)
    # The signals of preempt.py stay ignored until the job has handlers: one could kill it before it can save.
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _take_over_streams(log: Path) -> None:
    """Say everything into the log, and close every descriptor of the server."""
    log_alone(log)
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 20 else 1 << 16)


def load_module(name: str) -> Any:
    """Import `name` with libraries kept from starting threads; raise RuntimeError when some did all the same."""
    kept = {word: os.environ.get(word) for word in QUIET}
    os.environ.update(QUIET)
    module = importlib.import_module(name)
    prepare = getattr(module, "prepare", None)  # what is the same for all its jobs
    if prepare is not None:
        prepare()
    for word, value in kept.items():
        if value is None:
            del os.environ[word]
        else:
            os.environ[word] = value
    if thread_count() != 1:
        raise RuntimeError(f"importing {name} started {thread_count() - 1} threads: a fork would lose them")
    return module


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="engine.launch.forkserver")
    parser.add_argument("--preload", required=True, help="module whose main(order) runs a job")
    parser.add_argument("--socket", required=True, type=int, help="descriptor of the scheduler's socket")
    given = parser.parse_args(words)
    link = socket.socket(fileno=given.socket)
    # A program that a job starts must not keep the scheduler's socket open.
    link.set_inheritable(False)
    try:
        module = load_module(given.preload)
    except BaseException as error:
        traceback.print_exc()
        told = json.dumps({"error": f"{type(error).__name__}: {error}"})
        with suppress(OSError):
            link.sendall(told.encode() + b"\n")
        return 1
    # Nothing of the server is garbage to its children: freezing keeps their collector off the shared pages.
    gc.collect()
    gc.freeze()
    Server(link, module).serve()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: the libraries it has loaded would take their time to be put away, with complaints
