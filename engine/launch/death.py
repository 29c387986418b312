"""How a process of ours ends: with another one, and a fork without what its parent would do at its end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

DEATH_SIGNAL = 1  # prctl(2): PR_SET_PDEATHSIG


def die_with(parent: int) -> None:
    """End this process with its parent, at once if that is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    # It may have died before the kernel was told.
    if os.getppid() != parent:
        os._exit(1)


def leave_fork(status: int) -> NoReturn:
    """End a forked process: what was printed is written, and nothing is done that its parent was to do at its end."""
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    # Not sys.exit: the parent's exit handlers are not the child's to run.
    os._exit(status & 0xFF)
