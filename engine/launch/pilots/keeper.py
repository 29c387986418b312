"""What stands above a pilot where its engine does not clear up after it: takes a program, gives its exit status.

Three processes. The outer one is what the engine knows. However that ends, the inner one asks the pilot to end, upon
which it saves its attempts: an engine that kills gives no grace. And however the pilot ends, the inner one kills what
it has left behind, attempts too: none may go on unseen, on a GPU that the engine gives to another by then.

The inner one is no child of the outer one: engines signal every process below theirs, and an attempt whose loader
workers are asked to end cannot save.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Collection
from contextlib import suppress

from engine.launch.death import adopt_orphans, die_with, leave_fork
from engine.launch.preempt import preempt_signals
from engine.launch.process import children_of

KILLED = 128 + signal.SIGKILL  # as a shell has it


def keep(program: Callable[[], int]) -> int:
    """Run a program below two keepers, and return its exit status. To be called while there is a single thread."""
    ours, theirs = socket.socketpair()
    first = os.fork()
    if first == 0:
        ours.close()
        _detach(lambda: _keep_inner(program, theirs))
    theirs.close()
    os.waitpid(first, 0)
    with ours, ours.makefile() as told:
        # Its pid at once, its status at its end.
        pass_on(int(told.readline() or 0))
        return int(told.readline() or KILLED)


def _detach(program: Callable[[], None]) -> None:
    """Run a program as a process that has no parent of ours, in a session of its own."""
    os.setsid()
    if os.fork() == 0:
        try:
            program()
        finally:
            leave_fork(0)
    leave_fork(0)


def _keep_inner(program: Callable[[], int], link: socket.socket) -> None:
    adopt_orphans()
    inner = os.getpid()

    def be_kept() -> int:
        link.close()
        die_with(inner, signal.SIGTERM)
        return program()

    pid = fork_below(be_kept)
    link.sendall(f"{inner}\n".encode())
    threading.Thread(target=end_with, args=(link, pid), daemon=True).start()
    try:
        status = follow(pid)
    finally:
        clear_below()
    with suppress(OSError):
        link.sendall(f"{status}\n".encode())


def end_with(link: socket.socket, pid: int) -> None:
    """Ask a process to end as soon as nobody holds the other end of a link."""
    with suppress(OSError):
        link.recv(1)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def asking_signals() -> Collection[int]:
    """Return the signals by which a process is asked to end."""
    return {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, *preempt_signals()}


def fork_below(program: Callable[[], int]) -> int:
    """Start a process that runs a program, and hand it the signals that ask us to end; return its pid."""
    # One that comes in between waits until there is somebody to hand it to.
    signal.pthread_sigmask(signal.SIG_BLOCK, asking_signals())
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            for number in asking_signals():
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, asking_signals())
            status = program()
        finally:
            leave_fork(status)
    pass_on(pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, asking_signals())
    return pid


def pass_on(pid: int) -> None:
    """Hand every signal that asks us to end to another process, in our place."""

    def hand_on(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            # 0 would be all of our own group.
            if pid > 0:
                os.kill(pid, number)

    for number in asking_signals():
        signal.signal(number, hand_on)


def follow(pid: int) -> int:
    """Wait for a process below, and return its exit status as a shell has it; what else ends meanwhile is put away."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def clear_below() -> None:
    """Kill all that is left below this process, and what that leaves, until there is nothing."""
    with suppress(ChildProcessError):
        while True:
            for child in children_of(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
            os.wait()
