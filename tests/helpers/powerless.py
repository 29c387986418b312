"""Something done by a process that the rights of files bind: they bind no root, which tests often are."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSION = 0x20080522  # of Linux's capability sets: two words of effective, permitted and inheritable ones
OVERRIDING = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which let root write and read what it may not


CALL = "import sys; from importlib import import_module as load; from tests.helpers import powerless; "
CALL += "powerless.drop_power(); getattr(load(sys.argv[1]), sys.argv[2])(*sys.argv[3:])"


def without_power(work: Callable[..., None], *words: object) -> None:
    """Call a function of a module, with texts, in a fresh process that keeps to the rights of files.

    Not in a forked one: what other threads hold at that moment would be held there for ever.
    """
    command = [sys.executable, "-c", CALL, work.__module__, work.__name__, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr


def drop_power() -> None:
    """Give up, in this process, what lets root pass over the rights of files."""
    if os.getuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head, sets = (ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(head, sets) == 0
    # Of the first word: effective and permitted.
    sets[0] &= ~OVERRIDING
    sets[1] &= ~OVERRIDING
    assert libc.capset(head, sets) == 0


@contextmanager
def readable_only(root: Path) -> Iterator[None]:
    """Take every right to write in `root`."""
    paths = [root, *root.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)
