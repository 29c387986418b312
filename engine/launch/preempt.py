"""The signals of a machine that will be taken away: takes XP_PREEMPT_SIGNAL, gives the signals upon which jobs save.

Slurm (`--signal=USR1@60`), clouds and batch systems send what they were told to, to the scheduler or to each process;
USR1 and USR2 are what people choose, and would otherwise kill a job outright, so they count unless others are named.
With TERM named, a scheduler that is asked to end saves and ends its jobs too, as in a container that goes with it.
"""

from __future__ import annotations

import os
import signal

from engine.errors import XpError

VARIABLE = "XP_PREEMPT_SIGNAL"
USUAL = "USR1,USR2"
# What cannot be caught, what means something else here (QUIT dumps stacks), what tells of a fault of the process.
TAKEN = frozenset(
    {signal.SIGKILL, signal.SIGSTOP, signal.SIGQUIT, signal.SIGCHLD}
    | {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGPIPE}
)


def preempt_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that XP_PREEMPT_SIGNAL names, such as `USR1` or `SIGXCPU,10`. Raises XpError for others."""
    return tuple(_find_signal(name) for name in (os.environ.get(VARIABLE) or USUAL).split(","))


def _find_signal(name: str) -> signal.Signals:
    word = name.strip().upper()
    try:
        found = signal.Signals(int(word)) if word.isdigit() else signal.Signals["SIG" + word.removeprefix("SIG")]
    except (KeyError, ValueError):
        # One of TAKEN, so that an unknown name is refused in the same words.
        found = signal.SIGKILL
    if found in TAKEN:
        fix = f"name signals that a process can catch and that mean nothing else here, such as {VARIABLE}=USR1"
        raise XpError(f"{name.strip()!r} cannot announce the end of a machine", where=VARIABLE, fix=fix)
    return found
