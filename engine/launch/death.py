"""How a process of ours ends: with another one, and a fork without what its parent would do at its end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

DEATH_SIGNAL, SUBREAPER = 1, 36  # prctl(2): PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER


def die_with(parent: int, number: int = signal.SIGKILL) -> None:
    """End this process with its parent, by this signal, at once if that is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, number, 0, 0, 0)
    # It may have died before the kernel was told.
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Be the parent of whatever a process below this one leaves behind when it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def leave_fork(status: int) -> NoReturn:
    """End a forked process: what was printed is written, and nothing is done that its parent was to do at its end."""
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    # Not sys.exit: the parent's exit handlers are not the child's to run.
    os._exit(status & 0xFF)
